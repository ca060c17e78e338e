/* Prints what selectors mean in a model, for scripts that compare with PyTorch and for looking.
 *
 * resolve_tool MODEL list                    name, kind, type, value, depth, parameters, note
 * resolve_tool MODEL tree                    modules with calls and what is known of them
 * resolve_tool MODEL [-first|-last] SELECTOR...   value, layer, kind, folded, note or the refusal
 */
#include "base/error.h"
#include "formats/format.h"
#include "graph/layers.h"
#include "select/select.h"
#include <stdio.h>
#include <string.h>

static void print_list(const ltap_layers *layers, ltap_arena *arena)
{
    ltap_error error;
    ltap_vector listed;
    ltap_vector_init(&listed, arena->memory, sizeof(ltap_listed));
    if (ltap_list_layers(layers, arena, &listed, &error) != LTAP_OK)
        printf("refused\t%s\n", error.message);
    for (size_t i = 0; i < listed.count; i++) {
        const ltap_listed *line = LTAP_VECTOR_AT(&listed, ltap_listed, i);
        printf("%s\t%d\t%s\t%s\t%d\t%llu\t%s\n", line->name, line->kind, line->type,
               ltap_graph_at(layers->graph, line->value)->name, line->depth,
               (unsigned long long)line->n_parameters, line->note);
    }
    ltap_vector_clear(&listed);
}

static void print_tree(const ltap_layers *layers)
{
    for (uint32_t m = 0; m < layers->modules.count; m++) {
        const ltap_module *module = ltap_layers_at(layers, m);
        printf("%s\t%s\t%llu\t%s%s%s%s\t", module->path,
               module->class_name != NULL ? module->class_name : "-",
               (unsigned long long)module->n_parameters, module->folded ? "folded " : "",
               module->folded_by != NULL ? module->folded_by : "",
               module->elided_value != LTAP_NO_VALUE ? "elided " : "",
               module->doubt != NULL ? module->doubt : "");
        for (size_t c = 0; c < module->n_calls; c++) {
            const ltap_module_call *call = &module->calls[c];
            for (size_t i = 0; i < call->n_outputs; i++)
                printf("%s%s", i > 0 ? "," : "",
                       ltap_graph_at(layers->graph, call->outputs[i])->name);
            printf("%s%s ", call->doubt != NULL ? "?" : "", c + 1 < module->n_calls ? " |" : "");
        }
        printf("\n");
    }
}

static void print_selection(const ltap_layers *layers, const char *model, const char *selector,
                            ltap_calls calls, ltap_arena *arena)
{
    ltap_error error;
    ltap_selection selection;
    if (ltap_select(layers, model, selector, calls, arena, &selection, &error) != LTAP_OK)
        printf("%s\trefused\t%s\t%s\n", selector, ltap_status_name(error.code), error.message);
    else
        printf("%s\tvalue\t%s\t%s\t%s\t%d\t%s\n", selector,
               ltap_graph_at(layers->graph, selection.value)->name, selection.layer, selection.kind,
               selection.folded, selection.note);
}

static void run(const ltap_graph *graph, int argc, char **argv)
{
    ltap_error error;
    ltap_layers *layers = NULL;
    ltap_calls calls = LTAP_CALLS_REFUSE;
    ltap_arena arena;
    const char *slash = strrchr(argv[1], '/');
    if (ltap_layers_new(graph, &layers, &error) != LTAP_OK) {
        printf("refused\t%s\n", error.message);
        return;
    }
    ltap_arena_init(&arena, graph->memory);
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "list") == 0 && argc == 3)
            print_list(layers, &arena);
        else if (strcmp(argv[i], "tree") == 0 && argc == 3)
            print_tree(layers);
        else if (strcmp(argv[i], "-first") == 0 || strcmp(argv[i], "-last") == 0)
            calls = argv[i][1] == 'f' ? LTAP_CALLS_FIRST : LTAP_CALLS_LAST;
        else
            print_selection(layers, slash != NULL ? slash + 1 : argv[1], argv[i], calls, &arena);
    }
    ltap_arena_clear(&arena);
    ltap_layers_free(layers);
}

int main(int argc, char **argv)
{
    ltap_error error;
    ltap_memory *memory;
    ltap_graph *graph = NULL;
    ltap_file file;
    if (argc < 3 || ltap_memory_new(NULL, 0, &memory, NULL) != LTAP_OK)
        return 2;
    if (ltap_file_open(argv[1], false, memory, &file, &error) != LTAP_OK)
        return printf("refused\t%s\n", error.message), 1;
    ltap_source source;
    ltap_source_init(&source, file.data, file.size, memory);
    source.path = argv[1];
    ltap_status status = ltap_format_load(&source, &graph, &error);
    if (status == LTAP_OK)
        run(graph, argc, argv);
    else
        printf("refused\t%s\n", error.message);
    ltap_graph_free(graph);
    ltap_source_clear(&source);
    ltap_file_close(&file);
    ltap_memory_unref(memory);
    return status != LTAP_OK;
}
