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
for turn in cold warm; do
  began=$(date +%s.%N)
  "$binary" app --size 1280x720 > "$folder/log" 2>&1 &
  window=$!
  until import -window root -crop 1280x50+0+0 "$folder/head.ppm" 2> /dev/null &&
    [[ $(identify -format %k "$folder/head.ppm") -gt 8 ]]; do sleep 0.05; done
  full=$(seconds "$began")
  # The middle film, taken five times a second and looked at afterwards: looking takes time from what is looked at.
  until [[ $(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN { print (b - a > 7) }') = 1 ]]; do
    import -window root -crop 320x300+360+100 "$folder/film-$(date +%s.%N).ppm"
    sleep 0.2
  done
  kill "$window"
  wait "$window" 2> /dev/null || true
  films="never within 7 s"
  before=
  last=
  # Two changes within half a second: a film, not a picture that has come.
  for now in "$folder"/film-*.ppm; do
    if [[ -n $before ]] && (($({ cmp -l "$before" "$now" || true; } | wc -l) > 120)); then
      stamp=${now##*film-}
      stamp=${stamp%.ppm}
      if [[ -n $last && $(awk -v a="$last" -v b="$stamp" 'BEGIN { print (b - a < 0.5) }') = 1 ]]; then
        films=$(awk -v a="$began" -v b="$last" 'BEGIN { printf "%.2f s", b - a }')
        break
      fi
      last=$stamp
    fi
    before=$now
  done
  echo "$turn: first full frame after $full, films that move after $films ($(ls "$folder" | grep -c film-) pictures taken)"
  rm -f "$folder"/film-*
done
