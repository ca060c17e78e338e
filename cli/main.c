/* The tool: finds the command, reads its options by its table, runs it. What a command does is in
 * cmd_<name>.c; the tables of options are here, because a stranger looks for them here. */
#include "cli/commands.h"
#include "cli/names.h"
#include "cli/report.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* How pictures are prepared. */
/* clang-format off */
#define PICTURE_OPTIONS                                                                            \
    {"preprocess", 0, "P", "imagenet, segmentation, none, keras[-tf]; default: the model's",       \
     "imagenet segmentation none keras keras-caffe keras-tf keras-torch", NULL},                   \
    {"resize", 0, "SIZE", "short side to SIZE pixels, or HxW, or off", NULL,                       \
     "its steps: SIZE, HxW or off; bilinear...; 255"},                                             \
    {"crop", 0, "SIZE", "the middle SIZE x SIZE pixels, or HxW, or off", NULL, ""},                \
    {"filter", 0, "FILTER", "how to resize: bilinear, bicubic, nearest",                           \
     "bilinear bicubic nearest", ""},                                                              \
    {"scale", 0, "X", "divide pixels by X (255)", NULL, ""},                                       \
    {"mean", 0, "A,B,C", "subtract a number per channel, after scaling", NULL,                     \
     "its steps: A,B,C; rgb or bgr; turn as EXIF says"},                                           \
    {"std", 0, "A,B,C", "divide by a number per channel, or off", NULL, ""},                       \
    {"order", 0, "ORDER", "order of channels: rgb, bgr", "rgb bgr", ""},                           \
    {"exif", 0, NULL, "turn pictures as their EXIF orientation says", NULL, ""}
/* clang-format on */

/* Options of several commands. row: as in cli_option. */
/* clang-format off */
#define ARCH_OPTION(row)                                                                           \
    {"arch", 0, "NAME", "the network that a checkpoint is of: resnet50, vit+heads=6", "arch", row}
#define LOW_MEMORY_OPTION(row)                                                                     \
    {"low-memory", 0, NULL,                                                                        \
     "pack weights a layer at a time in each forward: less memory, later", NULL, row}
/* clang-format on */

/* How extract and diff compute. */
/* clang-format off */
#define NUMBER_OPTIONS                                                                             \
    {"threads", 0, "N", "processors to use (all)", NULL, ""},                                      \
    {"exact", 0, NULL, "no fast algorithms; bits repeat over batches and threads", NULL,           \
     "no fast algorithms; float32 or bf16; 'reference'"},                                          \
    {"precision", 0, "float32|bf16",                                                               \
     "what products are computed in; features are float32 either way", "float32 bf16", ""},        \
    {"backend", 0, "NAME", "reference: plain C kernels only", "reference", ""}
/* clang-format on */

/* What prune and convert, which write models, have behind their own. */
/* clang-format off */
#define WRITING_OPTIONS                                                                            \
    {"rewrite", 0, NULL,                                                                           \
     "an ONNX model anew: today's operators, functions in place of calls", NULL, NULL},            \
    {"force", 'f', NULL, "replace what is there", NULL, NULL},                                     \
    {"external-dir", 0, "DIR",                                                                     \
     "a folder that may hold the model's external data", "folder", NULL},                          \
    ARCH_OPTION(NULL),                                                                             \
    {"memory", 0, "SIZE", "refuse to use more: 512M, 2G (80 % of what there is)", NULL, NULL},     \
    {"json", 0, NULL, "one JSON document instead of the table", NULL, NULL},                       \
    {"quiet", 'q', NULL, "no notes on standard error", NULL, NULL},                                \
    {"help", 'h', NULL, "this text", NULL, NULL}
/* clang-format on */

static const cli_option layers_options[] = {
    {"tree", 0, NULL, "indent by module instead of full names", NULL, NULL},
    {"depth", 0, "N", "no deeper than N levels of modules", NULL, NULL},
    {"sort", 0, "BY", "cost, params or output: the largest first", "cost params output", NULL},
    {"flat", 0, NULL, "every tensor of the file: of all nodes, and the weights", NULL, NULL},
    {"inside", 0, NULL, "what runs in bodies of If, Loop, Scan: for --set and hooks", NULL, NULL},
    {"why", 0, "LAYER", "how LAYER is understood, what it reads, what it does not need", "layer",
     NULL},
    {"input-shape", 0, "[NAME=]SHAPE", "sizes for an input whose sizes are free: 1x3x256x256", NULL,
     NULL},
    {"names", 0, NULL, "only the names, a line each; all can follow extract -r", NULL, NULL},
    {"json", 0, NULL, "one JSON document instead of the table", NULL, NULL},
    {"external-dir", 0, "DIR", "a folder that may hold the model's external data", "folder", NULL},
    ARCH_OPTION(NULL),
    {"memory", 0, "SIZE", "refuse to use more: 512M, 2G", NULL, NULL},
    {"quiet", 'q', NULL, "no notes on standard error", NULL, NULL},
    {"help", 'h', NULL, "this text", NULL, NULL},
};

static const cli_option extract_options[] = {
    {"return", 'r', "LAYER[=NAME][@R]",
     "a layer, its output's name, what to make of it; for more, repeat", "layer", NULL},
    {"layers-from", 0, "FILE", "the same from JSON, in its order: {\"layer1\": \"feat1\"}", "file",
     NULL},
    {"all", 0, NULL, "every layer that has a value of its own in the file", NULL, NULL},
    {"calls", 0, "first|last", "what the name of a module that is called twice means", "first last",
     NULL},
    {"output", 'o', "OUT", "x.npz, x.npy, x.safetensors, a folder (ends in /), - (npz)", "file",
     NULL},
    {"force", 'f', NULL, "replace what is there", NULL,
     "replace what is there; a file per input: OUT/ or with {}"},
    {"separate", 0, NULL, "one file per input: OUT is a folder/ or holds {}, the input's name",
     NULL, ""},
    {"input", 0, "[NAME=]SOURCE", "a file, random[:SEED][:SHAPE], zeros[:SHAPE], ones[:SHAPE]",
     "file", NULL},
    {"from", 0, "LAYER=SOURCE", "start at LAYER, with its value from a file; for more, repeat",
     "layer", NULL},
    {"set", 0, "LAYER=WHAT", "change LAYER: zero, mean[:AXIS], scale:X, noise:X[:SEED], x.npy",
     "layer", "LAYER=zero, mean, scale:X, noise:X, x.npy; LAYER=INPUT"},
    {"patch", 0, "LAYER=INPUT", "give LAYER the value that it has for another input", "layer", ""},
    {"batch", 0, "N", "inputs that go through the network together (8)", NULL,
     "inputs that go together (8); channels of features first: nchw"},
    {"layout", 0, "LAYOUT", "where features have their channels: nchw, nhwc, given",
     "nchw nhwc given", ""},
    {"stream", 0, NULL, "write each feature as it is made, and keep none (--all does)", NULL,
     "keep no feature; tell std, zeros, dead channels, histogram"},
    {"stats", 0, NULL, "tell deviation, zeros, NaN, dead channels and a histogram of each layer",
     NULL, ""},
    PICTURE_OPTIONS,
    {"png", 0, "DIR", "also pictures: the input, channels as grids, labels in colour", "folder",
     NULL},
    {"dry-run", 0, NULL, "run nothing; say what would run, its memory, its sizes", NULL,
     "run nothing: the costs; the plan, step by step"},
    {"explain", 0, NULL, "run nothing; print the plan: kernels, layouts, memory", NULL, ""},
    {"memory", 0, "SIZE", "refuse to use more: 512M, 2G (80 % of what there is)", NULL,
     "most to use (512M, 2G); pack layer by layer; processors"},
    LOW_MEMORY_OPTION(""),
    NUMBER_OPTIONS,
    {"external-dir", 0, "DIR", "a folder that may hold the model's external data", "folder",
     "a folder with external data; the network of a checkpoint (resnet50)"},
    ARCH_OPTION(""),
    {"json", 0, NULL, "one JSON document instead of the table", NULL,
     "one document; no notes; more notes"},
    {"quiet", 'q', NULL, "no notes on standard error", NULL, ""},
    {"verbose", 'v', NULL, "more notes: every picture, every stage's time", NULL, ""},
    {"help", 'h', NULL, "this text", NULL, NULL},
};

static const cli_option bench_options[] = {
    {"return", 'r', "LAYER[=NAME]",
     "a layer to be computed (the model's outputs); for more, repeat", "layer", NULL},
    {"layers-from", 0, "FILE", "the same from JSON: {\"layer1\": \"feat1\"}", "file", NULL},
    {"calls", 0, "first|last", "what the name of a module that is called twice means", "first last",
     NULL},
    {"input-shape", 0, "[NAME=]SHAPE", "sizes for an input whose sizes are free: 1x3x256x256", NULL,
     NULL},
    {"batch", 0, "N,...", "batches for the throughput (1,8,32)", NULL, NULL},
    {"runs", 0, "N", "forwards per measurement, instead of --seconds", NULL, NULL},
    {"seconds", 0, "S", "time per measurement (1)", NULL, NULL},
    {"profile", 0, NULL, "the time of every step, its kernel, GFLOP/s against the peak", NULL,
     NULL},
    {"threads", 0, "N", "processors to use (all)", NULL, NULL},
    {"exact", 0, NULL, "no fast algorithms; bits repeat over batches and threads", NULL, NULL},
    {"precision", 0, "float32|bf16",
     "what products are computed in; features are float32 either way", "float32 bf16", NULL},
    {"backend", 0, "NAME", "reference: plain C kernels only", "reference", NULL},
    {"memory", 0, "SIZE", "refuse to use more: 512M, 2G (80 % of what there is)", NULL, NULL},
    LOW_MEMORY_OPTION(NULL),
    {"external-dir", 0, "DIR", "a folder that may hold the model's external data", "folder", NULL},
    ARCH_OPTION(NULL),
    {"json", 0, NULL, "one JSON document instead of the table", NULL, NULL},
    {"quiet", 'q', NULL, "no notes on standard error", NULL, NULL},
    {"verbose", 'v', NULL, "in the profile, why other kernels refused", NULL, NULL},
    {"help", 'h', NULL, "this text", NULL, NULL},
};

static const cli_option diff_options[] = {
    {"return", 'r', "LAYER[=LAYER]", "only this layer of A, and its partner in B; for more, repeat",
     "layer", NULL},
    {"layers-from", 0, "FILE", "the same from JSON: {\"layer1\": \"feat1\"}", "file", NULL},
    {"tolerance", 0, "X", "largest difference allowed, of the largest magnitude in B (1e-4)", NULL,
     NULL},
    {"differing", 0, NULL, "only the layers that differ", NULL, NULL},
    {"calls", 0, "first|last", "what the name of a module that is called twice means", "first last",
     NULL},
    {"input", 0, "[NAME=]SOURCE", "a file, random[:SEED][:SHAPE] (default), zeros, ones", "file",
     NULL},
    {"batch", 0, "N", "inputs that go through the networks together (8)", NULL, NULL},
    PICTURE_OPTIONS,
    {"memory", 0, "SIZE",
     "refuse to use more: 512M, 2G; half for each network (80 % of what there is)", NULL,
     "most to use (512M, 2G); pack layer by layer; processors"},
    LOW_MEMORY_OPTION(""),
    NUMBER_OPTIONS,
    {"external-dir", 0, "DIR", "a folder that may hold the models' external data", "folder",
     "a folder with external data; the network of a checkpoint (resnet50)"},
    ARCH_OPTION(""),
    {"json", 0, NULL, "one JSON document instead of the table", NULL,
     "one document; no notes; all that has no partner"},
    {"quiet", 'q', NULL, "no notes on standard error", NULL, ""},
    {"verbose", 'v', NULL, "all layers without a partner; more notes", NULL, ""},
    {"help", 'h', NULL, "this text", NULL, NULL},
};

static const cli_option prune_options[] = {
    {"return", 'r', "LAYER[=NAME]", "a layer, and the name of the output; for more, repeat",
     "layer", NULL},
    {"layers-from", 0, "FILE", "the same from JSON, in its order: {\"layer1\": \"feat1\"}", "file",
     NULL},
    {"from", 0, "LAYER[=NAME]", "start at LAYER: its value becomes an input; for more, repeat",
     "layer", NULL},
    {"split", 0, "LAYER[=NAME]", "cut after LAYER into two models: backbone and head", "layer",
     NULL},
    {"calls", 0, "first|last", "what the name of a module that is called twice means", "first last",
     NULL},
    {"output", 'o', "OUT", "the model file; with --split a folder/, or a name for both", "file",
     NULL},
    {"external", 0, "keep|repack", "weights beside the model: refer to them, or copy to OUT.data",
     "keep repack", NULL},
    WRITING_OPTIONS,
};

static const cli_option convert_options[] = {
    {"output", 'o', "OUT", "the model file", "file", NULL},
    {"external", 0, "keep|repack", "weights: leave them in MODEL's file, or copy to OUT.data",
     "keep repack", NULL},
    WRITING_OPTIONS,
};

static const cli_option generate_options[] = {
    {"help", 'h', NULL, "this text", NULL, NULL},
};

static const char *const layers_details[] = {
    "A line per layer, in the order of execution: its name as -r takes it, what it is, the shape of "
    "its output, parameters and multiply-adds inside it, a remark. With LAYER, only that module and "
    "what is in it, or what a pattern matches (**.conv1, op:Conv). Where the model leaves sizes "
    "free, they are taken for one picture (the size that the model's own preprocessing makes, else "
    "224x224), and a line says so; --input-shape chooses others.",
    NULL};

static const char *const extract_details[] = {
    "LAYER is a module (layer4.2.conv3), one of its calls (relu#0), a node, value, input or output "
    "of the file; NAME is the key in OUT. A pattern (layer1.*.relu, **.conv1, op:Conv) gives several, "
    "named by their paths; layer1[-1] is a child. The text is split at its last \"=\". A JSON file for "
    "--layers-from needs no quoting at all.",

    "Reductions, before all is stored: -r layer4=feat@gap@l2. @gap: mean over all axes from "
    "the third on; @max: largest; @flatten: [N,C*H*W]; @cls: first of tokens [N,T,D]; @l2: length 1 "
    "along the second axis; @topk:N: along the last, and NAME.indices; @half: float16. \"@@\" in a NAME "
    "is \"@\"; in JSON, {\"name\": \"feat1\", \"reduce\": \"gap@l2\"}.",

    "INPUT is a JPEG, PNG or WebP picture, an array (.npy), arrays by input name (.npz, "
    ".safetensors), or \"-\", any of these on standard input. Several inputs go through in batches, and the rows of "
    "each feature are appended in the order of the inputs. A feature whose first axis does not "
    "follow the batch, or whose size differs between inputs, is refused; --separate writes a file "
    "per input instead: OUT/cat.npz for cat.jpg, OUT/cat-2.npz for the second of that name. An "
    "array is split into batches where its first axis is free and is a batch: four axes, or named "
    "\"batch\" or \"N\" by the model, or --batch given. A model whose batch is fixed at k gets k "
    "rows at a time; a short last batch is filled up by repeating its last row, and the features' "
    "surplus rows are dropped.",

    "--input NAME=random draws standard normal numbers, the same on every machine: SplitMix64 from "
    "the seed (0), Marsaglia's polar method with a logarithm of our own. SHAPE, where the model "
    "leaves it free, is 1 for the batch and 224x224 for a picture unless said: "
    "--input x=random:7:1x3x256x256. A file of that name is ./random.",

    "Pictures are prepared as the model says (ONNX metadata layertap.preprocess), else as imagenet "
    "does for an input float32[N,3,H,W]; what was done is printed. The options of single steps "
    "change what P sets.",

    "--set and --patch change what a layer gives, for all that is computed from it and for its own "
    "feature; for more, repeat. LAYER may end with a part, as numpy writes it: layer3[:,17], "
    "layer3[:,:,0:7,-1]; a module that is called several times is changed at each call, a pattern "
    "at each of its layers. zero; mean: each channel's mean over its positions, by itself for each "
    "input, channels along AXIS (the last of a Keras model; else 1, of three axes the last); scale:X: times X; noise:X: plus X times "
    "standard normal numbers, the same for each input, from SEED (0) and the layer's name; a file "
    "with one array: of the part's shape or the layer's, its first axis 1 for all inputs alike. "
    "--patch runs the network on INPUT (as for --input: a picture, x.npy, random:7) and gives LAYER "
    "the value it has there. Layers change in the order of execution, and one layer in the order "
    "typed; what is in the body of an If, Loop or Scan (layers --inside), each time that it runs. A "
    "file called zero is ./zero.",

    "--layout nchw hands features out with their channels behind the batch, where the model has them "
    "last (Keras: [N,H,W,C]) and they have three to five axes; a model that has them second stays as "
    "it is. nhwc is what such a model gives by itself, and refused for others. What is given, to an "
    "input, --from, --set or as a part [:,17], has the model's own axes.",

    "--stream takes the memory of one forward and the largest feature, however many layers there are: "
    "each is written as it is made. --all and --stats do so by themselves, unless --png wants whole "
    "features. So does a request whose features do not fit in --memory together; what does not fit "
    "then is refused before anything runs.",

    "--stats tells of each layer, over all inputs and in one pass: standard deviation; share of "
    "zeros; NaN and Inf; dead channels, which were 0 wherever they were looked at (channels are the "
    "last axis of a Keras model's features, else axis 1, of three axes the last), with the number of places; and a histogram of bins as wide as a "
    "power of two. Without -o, layers may be of any sizes.",

    "--png writes DIR/cat.input.png, the picture as the network sees it; DIR/cat.NAME.png, the "
    "feature's channels as a grid; and for an output of the model with a class per channel, "
    "DIR/cat.NAME.labels.png, each pixel's class in colour.",

    "JSON: {\"layertap\":1, \"model\", \"inputs\":[{\"file\", \"steps\":[]}], "
    "\"features\":[{\"name\", \"layer\", \"kind\", \"dtype\", \"shape\":[], \"bytes\", \"min\", "
    "\"max\", \"mean\", \"nan\", \"inf\", \"folded\"}], \"output\", \"timing_ms\"}, and where "
    "layers are changed \"interventions\":[{\"layer\", \"set\" or \"patch\"}], and in features with --stats "
    "\"std\", \"zeros\", \"channels\", \"dead\", \"probes\", \"histogram\":{\"first\", \"width\", "
    "\"counts\":[]}; NaN and Inf are "
    "null. An error: {\"error\":{\"code\", \"message\"}}. Keys are only ever added.",
    NULL};

static const char *const bench_details[] = {
    "What is measured, in this order: opening the file; the first features (opening, resolving the "
    "names, planning, packing weights, one forward); the latency of a forward; peak memory, VmHWM of "
    "this process up to here; with --profile, the steps; the throughput of each batch, where the "
    "model leaves the batch free. Each after a warm-up. The p95 is the smallest time that 95 % of "
    "the forwards do not exceed. Inputs are random numbers (zeros where they are no floats).",

    "--profile times each step of the plan in forwards of its own. Several operators in one step are "
    "one kernel; \"convert\" is a change of layout, \"tap\" the copy of a feature. GFLOP/s count a "
    "multiply-add as two, as the operator defines it: an algorithm that needs fewer (Winograd) can "
    "be beyond the peak. The peak is measured: vector multiply-adds in registers, on as many "
    "threads.",

    "JSON: {\"layertap\":1, \"model\", \"inputs\":[{\"name\", \"dtype\", \"shape\":[]}], "
    "\"layers\":[], \"latency_ms\":{\"median\", \"p95\", \"min\", \"runs\"}, "
    "\"throughput\":[{\"batch\", \"per_second\"}], \"open_ms\", \"first_ms\", \"peak_bytes\", "
    "\"threads\"}, and with --profile \"peak_gflops\" and \"profile\":[{\"layer\", \"operation\", "
    "\"kernel\", \"refused\", \"calls\", \"ms\", \"share\", \"mult_adds\", \"gflops\", "
    "\"of_peak\"}]. A batch that is refused has per_second null, and \"error\".",
    NULL};

static const char *const diff_details[] = {
    "A and B are models, or files of features (.npz, .safetensors, .npy) such as extract writes or "
    "PyTorch hooks fill. Models run on the same INPUT, given as for extract; where none is given, on "
    "random numbers. With a file of features, say the input that they were made from, or keep it in "
    "the file under the input's name.",

    "Layers are matched by module path; a convolution with its BatchNorm folded in is the BatchNorm "
    "of the other file (\"folded\"); operations by their name in the file; outputs by name or "
    "position; the rest by operator, shape and what reads what (\"structure\"), so that names may be "
    "lost and nodes put between. -r A=B matches by hand. Names of one tensor "
    "share a line. A layer of a file of features that is called several times means its last call, "
    "as in a dictionary that hooks fill; --calls first for create_feature_extractor.",

    "Per layer: the largest |A - B|; the same as a part of the largest magnitude in B; the cosine; "
    "how many NaN and Inf are in A and in B. A layer differs where the part is beyond the tolerance, "
    "the shapes differ, or NaN or Inf are at other places. \"inside\": it differs, but was matched by "
    "structure only, and the module around it, or what is computed from it, agrees: it is not "
    "counted. Layers without a partner "
    "are listed and not counted. Large networks run in passes, each with as many layers as fit.",

    "JSON: {\"layertap\":1, \"a\", \"b\", \"tolerance\", \"reference\":\"b\", \"same\", "
    "\"first\", \"compared\", \"different\", \"passes\", \"layers\":[{\"a\", \"b\", "
    "\"matched\", \"also\":[], \"dtypes\":[], \"shapes\":[], \"max_abs\", \"max_rel\", "
    "\"cosine\", \"nan\":[], \"inf\":[], \"misplaced\", \"verdict\"}], "
    "\"only_a\":[{\"name\", \"reason\"}], \"only_b\"}. A max_rel that is infinite is null.",
    NULL};

static const char *const prune_details[] = {
    "Writes an ONNX model of just what the layers need. Of an ONNX model, from the original bytes of "
    "what is kept: "
    "names, metadata, free sizes, functions, annotations and unknown fields stay as they are. An "
    "output gets its name by an Identity node behind it, an input of --from by one before it; where "
    "NAME is the value's own name in the file, no node is needed. A NAME that another kept value "
    "has is refused. A layer inside a function of the model has the function's body put in place of "
    "that call; other calls stay calls. Of another network, or with --rewrite, as convert does.",

    "--split LAYER writes OUT/backbone.onnx and OUT/head.onnx where OUT ends in /, else "
    "OUT.backbone.onnx and OUT.head.onnx. The outputs of the backbone are the inputs of the head, "
    "by name: LAYER's value, and whatever else crosses the cut. An input of the model that the head "
    "needs as well is an input of both. The head gives the layers of -r, or all outputs. Chained, "
    "they give the bits of the whole; a convolution and its BatchNormalization stay together in the "
    "backbone for that. Both files are written, or neither.",

    "Weights in files beside the model stay there (--external keep), which OUT must then be beside "
    "too; --external repack copies those that are kept, and all others of a kilobyte or more, to "
    "OUT.data. What would have more than 2 GB is repacked by itself.",

    "JSON: {\"layertap\":1, \"model\", \"files\":[{\"file\", \"bytes\", \"data_bytes\", \"nodes\", "
    "\"nodes_before\", \"inputs\":[], \"outputs\":[]}]}",
    NULL};

static const char *const convert_details[] = {
    "Writes the whole network as an ONNX model: a PyTorch checkpoint, say. Names of layers, of "
    "weights, of inputs and outputs, free sizes and the preprocessing stay as layertap layers and "
    "extract have them; layertap reads the modules back from the nodes' metadata. The opset is the "
    "oldest, from 17 on, that has all operators in the form they are computed here. An operator "
    "that ONNX lacks is written as a function. prune does the same for part of a network.",

    "An ONNX model is copied: its bytes, but for what no output needs and what is of training. "
    "--rewrite makes it anew: old forms of operators become those of one newer opset, functions "
    "stand in place of their calls; documentation and types of inner values are not kept.",

    "Weights are copied into OUT, or, where that would have more than 2 GB, to OUT.data "
    "(--external repack: always). With --external keep OUT refers to MODEL's own file, which must "
    "stay beside it: a few kilobytes, whatever the size of the network.",

    "JSON: as of prune.", NULL};

static int generate(const cli_arguments *arguments)
{
    const char *what = arguments->n_operands == 1 ? arguments->operands[0] : "";
    if (strcmp(what, "man") == 0)
        cli_man_print(stdout);
    else if (strcmp(what, "options") == 0) {
        for (size_t i = 0; i < cli_commands_count; i++) {
            for (size_t k = 0; k < cli_commands[i].n_options; k++)
                printf("%s %s\n", cli_commands[i].name, cli_commands[i].options[k].name);
        }
    } else
        cli_completion_print(stdout, what);
    return CLI_DONE;
}

const cli_command cli_commands[] = {
    {"layers", "MODEL [LAYER...]", "The layers of a model, with shapes and costs.", layers_details,
     layers_options, COUNT(layers_options), cli_layers_run, false},
    {"extract", "MODEL -r LAYER[=NAME][@R]... [INPUT...] [-o OUT]",
     "Runs what the layers need, and writes their outputs under your names.", extract_details,
     extract_options, COUNT(extract_options), cli_extract_run, false},
    {"prune", "MODEL -r LAYER[=NAME]... [--from LAYER[=NAME]]... -o OUT.onnx",
     "Writes a model of just what the layers need, or two halves.", prune_details, prune_options,
     COUNT(prune_options), cli_prune_run, false},
    {"convert", "MODEL -o OUT.onnx", "Writes the whole network as an ONNX model.", convert_details,
     convert_options, COUNT(convert_options), cli_convert_run, false},
    {"bench", "MODEL [-r LAYER[=NAME]]...", "How long a request takes, and where.", bench_details,
     bench_options, COUNT(bench_options), cli_bench_run, false},
    {"diff", "A B [-r LAYER[=LAYER]]... [INPUT...]",
     "Where two networks, or a network and a file of features, part.", diff_details, diff_options,
     COUNT(diff_options), cli_diff_run, false},
    {"generate", "man|bash|zsh|fish|options", "The man page and completions.", NULL,
     generate_options, COUNT(generate_options), generate, true},
};
const size_t cli_commands_count = COUNT(cli_commands);

static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < cli_commands_count; i++) {
        if (strcmp(cli_commands[i].name, name) == 0)
            return &cli_commands[i];
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const cli_talk talk = {0};
    ltap_error error;
    cli_nearest nearest;
    cli_nearest_init(&nearest, name, strlen(name));
    for (size_t i = 0; i < cli_commands_count; i++) {
        if (!cli_commands[i].hidden)
            cli_nearest_offer(&nearest, cli_commands[i].name);
    }
    ltap_status status =
        cli_error_set(&error, LTAP_ERROR_ARGUMENT, "no command '%s'%s%s (all: layertap --help)",
                      name, nearest.best ? "; nearest: " : "", nearest.best ? nearest.best : "");
    (void)status;
    return cli_report_error(&talk, &error);
}

static int run_command(const cli_command *command, int argc, char **argv)
{
    cli_arguments arguments;
    ltap_error error;
    int exit_status;
    if (cli_arguments_parse(argc, argv, command, &arguments, &error) != LTAP_OK) {
        cli_talk talk = {0};
        for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
            talk.json |= strcmp(argv[i], "--json") == 0;
        exit_status = cli_report_error(&talk, &error);
    } else if (cli_arguments_has(&arguments, "help")) {
        cli_help_print(stdout, command);
        exit_status = CLI_DONE;
    } else
        exit_status = command->run(&arguments);
    cli_arguments_clear(&arguments);
    return exit_status;
}

static int help(int argc, char **argv)
{
    if (argc < 1) {
        cli_help_overview(stdout);
        return CLI_DONE;
    }
    const cli_command *command = find_command(argv[0]);
    if (!command)
        return unknown_command(argv[0]);
    cli_help_print(stdout, command);
    return CLI_DONE;
}

static int version(int argc, char **argv)
{
    printf("layertap %s\n", ltap_version());
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0 || strcmp(argv[i], "-v") == 0)
            printf("%s\n", ltap_version_details());
    }
    return CLI_DONE;
}

/* A stream that the parent closed must not become the first file that is opened: its number is
 * taken by something that refuses. */
static void hold_standard_streams(void)
{
    for (int stream = 0; stream < 3; stream++) {
        if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY) < 0)
            return;
    }
}

/* What was printed must have arrived. */
static int finish(int exit_status)
{
    const cli_talk talk = {0};
    ltap_error error;
    if ((exit_status == CLI_DONE || exit_status == CLI_DIFFERENT) &&
        cli_report_flush(&error) != LTAP_OK)
        return cli_report_error(&talk, &error);
    return exit_status;
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of writing, not a death */
    if (argc < 2) {
        cli_help_overview(stderr);
        return CLI_MISUSED;
    }
    const char *first = argv[1];
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || strcmp(first, "help") == 0)
        return finish(help(argc - 2, argv + 2));
    int verbose_first = (strcmp(first, "--verbose") == 0 || strcmp(first, "-v") == 0) && argc > 2;
    if (strcmp(verbose_first ? argv[2] : first, "--version") == 0)
        return finish(version(argc - 1, argv + 1));
    const cli_command *command = find_command(first);
    if (!command)
        return unknown_command(first);
    return finish(run_command(command, argc - 2, argv + 2));
}
