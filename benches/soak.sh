#!/usr/bin/env bash
# Uses the window at random for a while, and says whether it held: benches/soak.sh MINUTES [BINARY] [SEED]
# It presses keys, changes scenes and screens, drags with the mouse, scrubs, exports, and looks at the memory.
# What it exports lies in a folder that is removed. It needs xdotool, and Xvfb where there is no display.
# It prints a line a minute, and at the end: panics, errors in panes, and memory after the first minute and after
# the last. Its exit code is 0 if the window lived, nothing panicked and memory grew by at most 5 %.
set -euo pipefail
minutes=${1:?give the minutes}
home=$(cd "$(dirname "$0")/.." && pwd)
binary=$(realpath "${2:-$home/target/release/parallax}")
RANDOM=${3:-1}
command -v xdotool > /dev/null || { echo "benches/soak.sh: there is no xdotool" >&2; exit 2; }
[[ -x $binary ]] || { echo "benches/soak.sh: there is no $binary: run cargo build --release first" >&2; exit 2; }
if [[ -z ${DISPLAY:-} ]]; then
  command -v Xvfb > /dev/null || { echo "benches/soak.sh: there is no display, and no Xvfb" >&2; exit 2; }
  Xvfb :96 -screen 0 1280x720x24 > /dev/null 2>&1 &
  server=$!
  export DISPLAY=:96
  sleep 1
fi
folder=$(mktemp -d)
export PARALLAX_HOME=${PARALLAX_HOME:-$home} XDG_CONFIG_HOME=$folder
cd "$folder"
"$binary" app --scene push --seed 1000007 --size 1280x720 > "$folder/log" 2>&1 &
window=$!
trap 'kill $window ${server:-} 2> /dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 60); do
  id=$(xdotool search --onlyvisible --name '^Parallax$' 2> /dev/null | tail -1) || true
  [[ -n ${id:-} ]] && break
  sleep 0.5
done
[[ -n ${id:-} ]] || { echo "the window did not open:"; tail -5 "$folder/log"; exit 1; }
xdotool windowfocus "$id" || true
rss() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$window/status" 2> /dev/null || echo 0; }
keys=(space space f n Left Right u y b l s r g c x e h k j p o i t Escape Escape v m 1 2 3 4 5 6 7 8 9 F2 F3 F4 F5 F2
  F1 plus minus ctrl+z ctrl+y ctrl+s ctrl+r ctrl+p ctrl+e ctrl+k comma period BackSpace)
began=$(date +%s)
first=0 next=60
while kill -0 "$window" 2> /dev/null; do
  passed=$(($(date +%s) - began))
  if ((passed >= next)); then
    ((first == 0)) && first=$(rss)
    echo "minute $((next / 60)): $(rss) MB"
    next=$((next + 60))
  fi
  ((passed >= 60 * minutes)) && break
  x=$((20 + RANDOM % 1240)) y=$((60 + RANDOM % 650))
  case $((RANDOM % 8)) in
    0) xdotool mousemove "$x" "$y" click 1 ;;
    1) xdotool mousemove "$x" "$y" mousedown 1 mousemove $((20 + RANDOM % 1240)) $((60 + RANDOM % 650)) sleep 0.1 mouseup 1 ;;
    2) xdotool mousemove $((130 + RANDOM % 1100)) 625 mousedown 1 mousemove $((130 + RANDOM % 1100)) 625 sleep 0.1 mouseup 1 ;;
    3) xdotool mousemove "$x" "$y" click $((4 + RANDOM % 2)) ;;
    *) xdotool key --clearmodifiers "${keys[RANDOM % ${#keys[@]}]}" ;;
  esac
  sleep 0.$((1 + RANDOM % 6))
done
last=$(rss)
lived=no
if kill -0 "$window" 2> /dev/null; then lived=yes; fi
panics=$(grep -c "panicked" "$folder/log" || true)
errors=$(grep -c " ERROR " "$folder/log" || true)
echo "the window lived: $lived; panics: $panics; errors in the log: $errors; memory $first to $last MB"
((panics + errors == 0)) || grep -E "panicked| ERROR " "$folder/log" | head -5
[[ $lived = yes && $panics = 0 ]] && ((100 * last <= 105 * first))
