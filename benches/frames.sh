#!/usr/bin/env bash
# What frames of the window cost while it plays, against paused and drawn as often, and what it costs when it is
# paused and nobody touches it: benches/frames.sh [BINARY]
# It needs Xvfb where there is no display.
set -euo pipefail
home=$(cd "$(dirname "$0")/.." && pwd)
binary=$(realpath "${1:-$home/target/release/parallax}")
[[ -x $binary ]] || { echo "benches/frames.sh: there is no $binary: run cargo build --release first" >&2; exit 2; }
if [[ -z ${DISPLAY:-} ]]; then
  command -v Xvfb > /dev/null || { echo "benches/frames.sh: there is no display, and no Xvfb" >&2; exit 2; }
  Xvfb :94 -screen 0 1280x720x24 -noreset > /dev/null 2>&1 &
  server=$!
  export DISPLAY=:94
  sleep 1
fi
folder=$(mktemp -d)
trap 'kill ${window:-} ${server:-} 2> /dev/null; rm -rf "$folder"' EXIT
export PARALLAX_HOME=${PARALLAX_HOME:-$home}
ticks() { awk '{ print $14 + $15 }' "/proc/$window/stat"; }
per_second=$(getconf CLK_TCK)
for what in playing paused untouched; do
  options=()
  # A window that will be asked for its picture goes on drawing, at the pace at which it draws what plays.
  [[ $what = untouched ]] || options+=(--shot "$folder/$what.png" --after 40)
  [[ $what = playing ]] || options+=(--press 8:space)
  # Settings are not taken along from one run to the next.
  XDG_CONFIG_HOME=$folder/$what "$binary" app --scene push --seed 1000007 --size 1280x720 --timings \
    "${options[@]}" > "$folder/$what.log" 2>&1 &
  window=$!
  sleep 18 # by then everything is loaded, and who is to pause has paused and gone to rest
  before=$(ticks)
  sleep 18
  after=$(ticks)
  [[ $what = untouched ]] && kill "$window"
  wait "$window" || true
  window=
  frame=$(awk '/^Window, frame to frame/ { print $5 " frames, median " $6 " ms, 99 % within " $7 " ms; " }' "$folder/$what.log")
  echo "$what: $frame$((100 * (after - before) / per_second / 18)) % of a core"
done
