#!/usr/bin/env bash
# The commands of the README. `cmake/run.sh --help` says what they do.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/default

usage() {
  cat <<TEXT
usage: cmake/run.sh test [ctest arguments]
       cmake/run.sh demo [sage_train arguments]
       cmake/run.sh bench [--quick | --growth | --smoke] [sage_bench arguments]
       cmake/run.sh bench --cuda [--smoke] [sage_bench_cuda arguments]

  test   builds everything and runs the tests
  demo   builds sage_train and trains small networks on generated images with a planted shortcut, by cross
         entropy, CYBORG, SAGE, and SAGE with inverted maps, three seeds each; results in build/demo. Typed again,
         it goes on after an interruption, or prints the table again; 'demo --restart' trains anew
  bench  times the losses of SAGE beside LibTorch, PyTorch, Eigen, xtensor, OpenCV and the machine's limits: every shape,
         some 25 minutes; --quick: those with targets, 3 minutes; --growth: how the time grows with each extent and
         with threads; --smoke: times nothing, compares the answers. Table on the terminal; JSON and charts in build/bench.
         --cuda, first: on a GPU, with nvcc 12 or later, beside a device copy, PyTorch and torch.compile (Triton); exit
         code 77 where there is no GPU or no nvcc

All install what is missing with apt (as root or through sudo), configure and build in build/default, and are quick
the second time. They work from any directory. Arguments are handed on: 'test -R triplet', 'demo --seeds 8 --epochs 20',
'bench --quick --filter triplet'; 'bench --help' names more.

environment:
  SAGE_NO_INSTALL=1    install nothing; use what is there
  CMAKE_PREFIX_PATH    folder of a LibTorch of your own; Debian's is then not installed. PyPI's (pip install torch):
                       CMAKE_PREFIX_PATH=\$(python3 -c 'import torch; print(torch.utils.cmake_prefix_path)') cmake/run.sh test
  SAGE_SECOND_TORCH_DIR
                       folder of one more LibTorch that 'test' builds the LibTorch tests with, in a build of their own
                       (minutes), and runs them; without it that test is skipped. 'bench' times it, too
  CXX                  compiler, GCC 12 or Clang 14 at least
TEXT
}

say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'cmake/run.sh: %s\n' "$*" >&2; exit 1; }

# ------------------------------------------------------------------------------------------------- packages

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
is_available() { [[ -n $(apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)"') ]]; }
at_least() { [[ $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }  # at_least 3.25 "$version"

# Root's rights by whichever way there is; fails where there is none. sudo may ask for a password only on a terminal.
as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"
  elif command -v sudo >/dev/null && [[ -t 0 ]]; then sudo "$@"
  else return 126
  fi
}

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"; }

# install_packages <package>...: those that are missing. One that this release does not have is named and left out.
install_packages() {
  local package is_root=true missing=() wanted=() unknown=()
  if [[ -n ${SAGE_NO_INSTALL:-} ]]; then return; fi
  if ! command -v apt-get >/dev/null; then
    say "no apt-get here: using what is installed (Debian calls what is needed: $*)"
    return
  fi
  for package in "$@"; do is_installed "$package" || missing+=("$package"); done
  if ((${#missing[@]} == 0)); then return; fi
  as_root true || is_root=false

  # The lists are read anew where they do not know a package (once a day: it may be one that this release lacks).
  local stamp=$root/build/apt-lists
  for package in "${missing[@]}"; do
    if $is_root && ! is_available "$package" && [[ -z $(find "$stamp" -mtime -1 2>/dev/null) ]]; then
      say "apt-get update"
      apt_get update >&2 && mkdir -p "$root/build" && touch "$stamp"
    fi
    if is_available "$package"; then wanted+=("$package"); else unknown+=("$package"); fi
  done
  if ! $is_root; then
    # Without lists apt knows nothing, and nobody but root can fetch them.
    if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then wanted=("${missing[@]}"); fi
    if ((${#wanted[@]} > 0)); then
      fail "packages are missing, and there is neither root nor sudo to install them; type as root:
  apt-get update && apt-get install -y --no-install-recommends ${wanted[*]}"
    fi
  fi
  if ((${#unknown[@]} > 0)); then say "this release has no package ${unknown[*]}"; fi
  if ((${#wanted[@]} == 0)); then return; fi
  say "installing ${wanted[*]}"
  apt_get install --no-install-recommends "${wanted[@]}" >&2 ||
    { apt_get update >&2 && apt_get install --no-install-recommends "${wanted[@]}" >&2; } ||
    fail "apt-get could not install: ${wanted[*]}"
}

# prepare <package>...: these, a compiler and CMake, both recent enough. Ubuntu 22.04 has GCC 12 beside its GCC 11, and
# no CMake from 3.25 on: there CMake comes from PyPI, into the build folder.
prepare() {
  install_packages g++ cmake ninja-build "$@"
  if [[ -z ${CXX:-} ]] && ! at_least 12 "$(g++ -dumpversion 2>/dev/null || echo 0)"; then
    install_packages g++-12
    export CXX=g++-12
  fi
  if ! at_least 3.25 "$(cmake --version 2>/dev/null | awk 'NR == 1 {print $3}')"; then
    local tools=$root/build/tools
    if [[ ! -x $tools/bin/cmake ]]; then
      if [[ -n ${SAGE_NO_INSTALL:-} ]]; then fail "CMake 3.25 or later is needed"; fi
      install_packages python3-venv
      say "installing CMake from PyPI into build/tools"
      { python3 -m venv "$tools" && "$tools/bin/pip" -q install 'cmake>=3.25,<4'; } ||
        fail "no CMake 3.25 to be had; install it (https://cmake.org/download) and type the command again"
    fi
    export PATH=$tools/bin:$PATH
  fi
}

# A LibTorch that the user names takes the place of Debian's.
libtorch() { if [[ -z ${CMAKE_PREFIX_PATH:-}${Torch_DIR:-} ]]; then echo libtorch-dev; fi; }

# --------------------------------------------------------------------------------------------------- commands

# configure [cmake arguments]
configure() {
  say "configuring build/default"
  mkdir -p "$build"
  # A LibTorch found before must not stand in the way of the one that is named now.
  (cd "$root" && cmake --preset default -U 'Torch_DIR' -U 'Caffe2_DIR' -U '*TORCH_LIBRARY' -U 'c10*_LIBRARY' "$@") \
    >"$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
  grep -E '^-- SAGE|[Ww]arning' "$build.log" >&2 || true
}

compile() {
  say "building${1:+ $1}"
  cmake --build "$build" --parallel "$(nproc)" ${1:+--target "$1"} >&2
}

run_tests() {
  # shellcheck disable=SC2046  # no package, or one
  prepare clang catch2 valgrind g++-aarch64-linux-gnu qemu-user libeigen3-dev libxtensor-dev libstb-dev \
    libcli11-dev $(libtorch)
  configure
  compile
  ctest --test-dir "$build" --parallel "$(nproc)" --output-on-failure --no-tests=error "$@"
}

run_demo() {
  # shellcheck disable=SC2046
  prepare libstb-dev libcli11-dev gnuplot-nox $(libtorch)
  configure
  [[ $(cmake --build "$build" --target help) == *sage_train:* ]] || fail "sage_train needs LibTorch, CLI11 and stb; \
what is missing stands above. LibTorch can be had from https://pytorch.org: CMAKE_PREFIX_PATH=<its folder> cmake/run.sh demo"
  compile sage_train

  # The demo's own settings, unless the user gives others; what is trained in build/demo is not trained twice.
  local settings=() given=" $* "
  [[ $given == *" --methods"[\ =]* ]] || settings+=(--methods "ce,cyborg,sage,sage-inverted")
  [[ $given == *" --seeds"[\ =]* ]] || settings+=(--seeds 3)
  [[ $given == *" --panel"[\ =]* ]] || settings+=(--panel 3)
  if [[ $given != *" --output"[\ =]* ]]; then
    settings+=(--output "$root/build/demo")
    [[ ! -e $root/build/demo/checkpoint.bin || $given == *" --restart "* || $given == *" --resume "* ]] || settings+=(--resume)
  fi
  "$build/examples/sage_train/sage_train" "${settings[@]}" "$@"
}

# python_with <module>: the command of the Python that has it. One in PATH, or PYTHONPATH, may hide the system's, which has
# what apt installs.
python_with() {
  local python
  for python in python3 /usr/bin/python3 "/usr/bin/python3 -E"; do
    if $python -c "import $1" >/dev/null 2>&1; then echo "$python"; return; fi
  done
  return 1
}

# The compute capabilities of the GPUs, as 80;90; nothing where there is none. nvidia-smi comes with the driver.
gpu_capabilities() {
  nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d . | grep -E '^[0-9]+$' | sort -u | paste -sd ';'
}

run_bench_cuda() {
  local program=$build/benchmarks/sage_bench_cuda given=" $* " capabilities asks_only=false
  if [[ $given == *" "@(-h|--help|--list)" "* ]]; then asks_only=true; fi
  capabilities=$(gpu_capabilities) || true
  if [[ -z $capabilities ]] && ! $asks_only; then
    say "bench --cuda: no GPU to measure: nvidia-smi names none"
    exit 77
  fi
  prepare libcli11-dev python3-matplotlib
  configure ${capabilities:+-D "SAGE_BENCH_CUDA_ARCHITECTURES=$capabilities"}
  if [[ $(cmake --build "$build" --target help) != *sage_bench_cuda:* ]]; then
    say "bench --cuda: no nvcc from 12.0 on, or no CLI11: what is missing stands above"
    exit 77
  fi
  compile sage_bench_cuda
  if $asks_only; then "$program" "$@"; return; fi
  "$program" "$@" --list >/dev/null || exit  # wrong arguments end here, with a sentence

  local peers=() torch_python name=cuda
  if torch_python=$(python_with torch) && $torch_python -c 'import torch; exit(not torch.cuda.is_available())'; then
    export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$root/build/bench/torch_compile}
    peers+=(--peer "$torch_python $root/benchmarks/torch_compile.py --device cuda")
  else
    say "no Python with a PyTorch for CUDA (pip install torch): PyTorch and torch.compile left out"
  fi
  # What times a part of the workloads does not replace the results of all.
  if [[ $given == *" --filter"[\ =]* ]]; then name=cuda-filter; fi
  run_and_draw "$name" "$program" "${peers[@]}" "$@"
}

# run_and_draw <name of the results> <program> <arguments>...
run_and_draw() {
  local results=$root/build/bench/$1.json program=$2 python="" given
  shift 2
  given=" $* "
  mkdir -p "${results%/*}"
  if [[ $given != *" --"@(json|smoke|filter)[\ =]* ]]; then
    python=$(python_with matplotlib) || say "no Python with matplotlib: the charts are left out"
  fi
  if [[ $given != *" --json"[\ =]* ]]; then set -- --json "$results" "$@"; fi
  "$program" "$@"
  if [[ -n $python ]]; then $python "$root/benchmarks/chart.py" "$results" "${results%.json}.png"; fi
}

run_bench() {
  if [[ ${1:-} == --cuda ]]; then shift; run_bench_cuda "$@"; return; fi
  local program=$build/benchmarks/sage_bench given=" $* "
  if [[ $given == *" "@(-h|--help)" "* && ! -x $program ]]; then
    usage
    say "sage_bench names the rest of its options when it is built, which takes minutes"
  fi
  # shellcheck disable=SC2046
  prepare libbenchmark-dev libcli11-dev libeigen3-dev libxtensor-dev libopencv-core-dev libopencv-imgproc-dev \
    python3-matplotlib $(libtorch)
  configure
  [[ $(cmake --build "$build" --target help) == *sage_bench:* ]] || fail "the benchmarks need Google Benchmark and \
CLI11, and plain flags; what is missing stands above"
  compile sage_bench

  # Nothing is timed by these, and they are asked for to learn something quickly.
  if [[ $given == *" "@(-h|--help|--list)" "* ]]; then "$program" "$@"; return; fi
  "$program" "$@" --list >/dev/null || exit  # wrong arguments end here, with a sentence

  # Peers in processes of their own.
  local peers=() torch_python
  if [[ $(cmake --build "$build" --target help) == *sage_bench_second_libtorch:* ]]; then
    if compile sage_bench_second_libtorch; then
      peers+=(--peer "$build/benchmarks/sage_bench_second_libtorch")
    else
      say "the second LibTorch does not build with this compiler: left out"
    fi
  else
    say "no second LibTorch (SAGE_SECOND_TORCH_DIR): left out"
  fi
  if torch_python=$(python_with torch); then
    export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$root/build/bench/torch_compile}
    peers+=(--peer "$torch_python $root/benchmarks/torch_compile.py")
  else
    say "no Python with PyTorch: torch.compile left out"
  fi

  # What times a part of the workloads does not replace the results of all.
  local name=results part
  for part in quick growth filter; do
    if [[ $given == *" --$part"[\ =]* ]]; then name=$part; fi
  done
  run_and_draw "$name" "$program" "${peers[@]}" "$@"
}

case ${1:-} in
  test) shift; run_tests "$@" ;;
  demo) shift; run_demo "$@" ;;
  bench) shift; run_bench "$@" ;;
  -h | --help | help) usage ;;
  *) usage >&2; exit 2 ;;
esac
