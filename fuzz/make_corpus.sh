#!/bin/sh
# Fills corpora for the fuzz targets from the tests' data: fuzz/make_corpus.sh FOLDER
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?usage: fuzz/make_corpus.sh FOLDER}
for target in wire onnx prune; do
    mkdir -p "$folder/$target"
    cp "$here"/tests/formats/data/*.onnx "$folder/$target/"
done
mkdir -p "$folder/torch"
cp "$here"/tests/formats/data/*.pt* "$here"/tests/formats/data/*.safetensors "$here"/tests/formats/attacks/* "$folder/torch/"
mkdir -p "$folder/hdf5"
cp "$here"/tests/codec/hdf5/*.h5 "$here"/tests/codec/attacks/*.h5 "$folder/hdf5/"
mkdir -p "$folder/export"
cp "$here"/tests/formats/data/*.pt2 "$here"/tests/formats/attacks/*.pt2 "$folder/export/"
for file in "$here"/tests/formats/data/*.pt2; do # and the programs alone, whose bytes have no CRC
    unzip -p "$file" '*model.json' 'serialized_exported_program.json' \
        >"$folder/export/$(basename "$file").json" 2>/dev/null || true
done
mkdir -p "$folder/keras"
cp "$here"/tests/formats/data/*.keras "$here"/tests/formats/data/keras*.h5 "$here"/tests/formats/attacks/*.keras "$folder/keras/"
for file in "$here"/tests/formats/data/*.keras; do # and the configurations alone
    unzip -p "$file" config.json >"$folder/keras/$(basename "$file").json" 2>/dev/null || true
done
mkdir -p "$folder/torchserve"
cp "$here"/tests/formats/data/*.mar "$here"/tests/formats/attacks/*.mar "$folder/torchserve/"
mkdir -p "$folder/image"
cp "$here"/tests/image/pictures/*.* "$folder/image/"
# Models that multiply on purpose cost seconds each; what is refused anyway is no seed for the writer.
rm -f "$folder"/onnx/wrong_bomb.onnx "$folder"/onnx/wrong_wide.onnx "$folder"/prune/wrong_*.onnx
