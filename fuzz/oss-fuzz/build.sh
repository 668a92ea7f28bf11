#!/bin/sh
# build.sh: builds the fuzz targets in the manner of OSS-Fuzz, into $OUT: for each its program, the
# seeds as a zip, the dictionary; and the libraries that they load, in $OUT/lib. To try it by hand:
#
#     OUT=/tmp/out CC=clang CFLAGS="-g -O1 -fsanitize=address" \
#         LIB_FUZZING_ENGINE=-fsanitize=fuzzer sh fuzz/oss-fuzz/build.sh
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
[ -f "$root/CMakeLists.txt" ] || root=$SRC/holdfast
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake -S "$root" -B "$work" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_C_FLAGS="$CFLAGS" -DHOLDFAST_TESTS=OFF -DHOLDFAST_FUZZ=ON \
    -DHOLDFAST_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" \
    -DCMAKE_EXE_LINKER_FLAGS='-Wl,-rpath,$ORIGIN/lib'
mkdir -p "$OUT/lib"
for source in "$root"/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    corpus=$root/fuzz/corpus/${name#fuzz_}
    cmake --build "$work" --target "$name"
    cp "$work/fuzz/$name" "$OUT/"
    ldd "$work/fuzz/$name" | awk '/liblmdb|libuv|libxxhash/ { print $3 }' |
        xargs -I{} cp -n {} "$OUT/lib/"
    cp "$root/fuzz/holdfast.dict" "$OUT/$name.dict"
    (cd "$corpus" && zip -q -r "$OUT/${name}_seed_corpus.zip" .)
done
