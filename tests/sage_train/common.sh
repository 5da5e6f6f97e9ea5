# For the tests of this folder: their arguments, a data set of little images, and what they expect.
set -euo pipefail
program=$1
folder=$2
rm -rf "$folder"
mkdir -p "$folder"

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# byte <n>... writes these bytes; word <n> four bytes, the lowest first
byte() { local n; for n in "$@"; do printf "\\x$(printf %02x "$n")"; done; }
word() { byte $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
fill() { head -c "$1" /dev/zero | tr '\0' "\\$(printf %03o "$2")"; }

# bmp <file> <width> <height> <grey of the lower half> <grey of the upper half>; the width is a multiple of 4
bmp() {
  local half=$(($2 * 3 * $3 / 2))
  { printf BM; word $((54 + 2 * half)); word 0; word 54; word 40; word "$2"; word "$3"; byte 1 0 24 0
    word 0; word $((2 * half)); word 2835; word 2835; word 0; word 0; fill $half "$4"; fill $half "$5"; } >"$1"
}

# data_set <folder>: two classes, dark and light, in 20 images
data_set() {
  mkdir -p "$1"
  bmp "$1/map.bmp" 32 16 0 255
  echo image,saliency,label,split >"$1/manifest.csv"
  local i part
  for i in 0 1 2 3 4 5 6 7 8 9; do
    part=train
    if ((i == 8)); then part=val; elif ((i == 9)); then part=test; fi
    bmp "$1/dark$i.bmp" 32 16 100 $((20 + i))
    bmp "$1/light$i.bmp" 32 16 100 $((200 + i))
    printf '%s,map.bmp,%s,%s\n' "dark$i.bmp" dark $part "light$i.bmp" light $part >>"$1/manifest.csv"
  done
}

tiny=(--channels 2 --size 16x16 --threads 1)
