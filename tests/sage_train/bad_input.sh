# Every mistake: one sentence that says what is wrong and where, exit status 2, nothing written.
source "$(dirname "$0")/common.sh"

good=$folder/good
data=$folder/data
output=$folder/output
data_set "$good"
anew() { rm -rf "$data"; cp -r "$good" "$data"; }

# refused <pattern of the message> <argument>...
refused() {
  local pattern=$1 status=0
  shift
  "$program" "$@" --output "$output" >"$folder/out" 2>"$folder/err" || status=$?
  [[ $status == 2 ]] || fail "status $status instead of 2 for: $* ($(cat "$folder/err"))"
  [[ $(wc -l <"$folder/err") == 1 ]] || fail "not one line for: $* ($(cat "$folder/err"))"
  grep -q -- "$pattern" "$folder/err" || fail "'$pattern' is not in: $(cat "$folder/err")"
  [[ ! -s $folder/out ]] || fail "it began to work before it refused: $*"
  [[ ! -e $output ]] || fail "it wrote something: $*"
}

# with_manifest <sed command> <pattern>: the good data set with a mistake in its manifest
with_manifest() {
  anew
  sed -i "$1" "$data/manifest.csv"
  refused "$2" --data "$data"
}

# A machine with a GPU, and a program for it, takes this.
if ! command -v nvidia-smi >/dev/null; then refused "--device cuda: " --device cuda; fi

anew
refused "nowhere: this folder does not exist" --data "$folder/nowhere"
refused "good/manifest.csv: this is a file; --data wants its folder" --data "$good/manifest.csv"
mkdir "$folder/empty"
refused "empty/manifest.csv: this file does not exist" --data "$folder/empty"
with_manifest '1s/split/part/' "manifest.csv:1: the header has no column 'split'"
with_manifest '2,$d' "manifest.csv: lists no image"
with_manifest '3s/,train//' "manifest.csv:3: has 3 cells where the header has 4"
with_manifest '4s/train/practice/' "manifest.csv:4: the split is 'practice', not train, val or test"
with_manifest '5s/,light,/,,/' "manifest.csv:5: the label cell is empty"
with_manifest '6s/^[^,]*,/,/' "manifest.csv:6: the image cell is empty"
with_manifest '7s/map.bmp/"map.bmp/' "manifest.csv:7: a quote is opened"
with_manifest '21s/light9/light0/' "manifest.csv:21: 'light0.bmp' stands in another split on line 3"
with_manifest '8s/^[^,]*/missing.png/' "manifest.csv:8: .*missing.png does not exist"
with_manifest '9s/map.bmp/nomap.png/' "manifest.csv:9: .*nomap.png does not exist"
with_manifest '20s/dark,/strange,/' "manifest.csv:20: the label 'strange' in the test split has no image in the training split"
with_manifest '18s/val/train/' "manifest.csv:2: the class 'dark' has no image in the val split"
with_manifest 's/,light,/,dark,/' "at least 2 classes are needed"

anew
bmp "$data/square.bmp" 16 16 0 255
sed -i '10s/map.bmp/square.bmp/' "$data/manifest.csv"
refused "manifest.csv:10: square.bmp is 16x16, another aspect ratio than its image dark4.bmp of 32x16" --data "$data"
anew
bmp "$data/map.bmp" 32 16 0 1
refused "manifest.csv: no saliency map has a value above 1, but maps are grey from 0 to 255" --data "$data"
anew
printf '\x89PNG\r\n\x1a\nbroken' >"$data/dark5.bmp"
refused "manifest.csv:12: .*dark5.bmp is no readable PNG, JPEG or BMP" --data "$data"

anew
refused "no image has the label 'grey'" --data "$data" --hold-out grey
refused "there is no class 'grey'" --data "$data" --normal grey
refused "there is no method 'sgae'" --methods ce,sgae
refused "'ce' is named twice" --methods ce,ce
refused "'-1' is not a whole number" --epochs=-1
refused "'nan' is not a number" --lr nan
refused "'both' is none of epochs, time" --budget both
refused "expected HEIGHTxWIDTH" --size 64
refused "nonsense" --nonsense
refused "not expected: .*--out" --out "$folder/other"
refused "there is no checkpoint to resume from" --resume

touch "$folder/file"
output=$folder/file/sub
refused "file/sub: cannot create this folder"
