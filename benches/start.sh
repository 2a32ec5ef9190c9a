#!/usr/bin/env bash
# How long the window takes from the command to its first full frame, and to films that move: benches/start.sh [BINARY]
# It starts the window twice (the second time the files are warm) and looks at the screen until it changes. It needs
# xdotool and ImageMagick (import, compare), and Xvfb where there is no display.
set -euo pipefail
home=$(cd "$(dirname "$0")/.." && pwd)
binary=$(realpath "${1:-$home/target/release/parallax}")
for tool in import compare xdotool; do
  command -v "$tool" > /dev/null || { echo "benches/start.sh: there is no $tool" >&2; exit 2; }
done
[[ -x $binary ]] || { echo "benches/start.sh: there is no $binary: run cargo build --release first" >&2; exit 2; }
if [[ -z ${DISPLAY:-} ]]; then
  command -v Xvfb > /dev/null || { echo "benches/start.sh: there is no display, and no Xvfb" >&2; exit 2; }
  Xvfb :95 -screen 0 1280x720x24 > /dev/null 2>&1 &
  server=$!
  export DISPLAY=:95
  sleep 1
fi
folder=$(mktemp -d)
trap 'kill ${window:-} ${server:-} 2> /dev/null; rm -rf "$folder"' EXIT
export PARALLAX_HOME=${PARALLAX_HOME:-$home} XDG_CONFIG_HOME=$folder
seconds() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f s", b - a }'; }
# The pixels in which the middle film of two pictures differs.
differs() { compare -metric AE -crop 320x300+360+100 "$1" "$2" null: 2>&1 || true; }
for turn in cold warm; do
  began=$(date +%s.%N)
  "$binary" app --size 1280x720 > "$folder/log" 2>&1 &
  window=$!
  until import -window root -crop 1280x50+0+0 "$folder/head.png" 2> /dev/null &&
    [[ $(identify -format %k "$folder/head.png") -gt 8 ]]; do sleep 0.05; done
  full=$(seconds "$began")
  import -window root "$folder/before.png"
  moves=0
  # Two changes in a row: a film, not a picture that has come.
  until ((moves >= 2)); do
    sleep 0.1
    import -window root "$folder/now.png"
    n=$(differs "$folder/before.png" "$folder/now.png")
    if [[ ${n%%.*} =~ ^[0-9]+$ ]] && ((${n%%.*} > 40)); then moves=$((moves + 1)); fi
    cp "$folder/now.png" "$folder/before.png"
  done
  echo "$turn: first full frame after $full, films that move after $(seconds "$began")"
  kill "$window"
  wait "$window" 2> /dev/null || true
done
