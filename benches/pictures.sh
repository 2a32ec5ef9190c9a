#!/usr/bin/env bash
# Pictures of every screen, in both themes and two sizes, to look at: benches/pictures.sh FOLDER [BINARY]
# Without a display it starts its own (Xvfb). Each picture is taken half a minute after its scene has begun, so
# that models have loaded; twenty of them take a quarter of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:?give a folder for the pictures}
binary=${2:-target/release/parallax}
mkdir -p "$folder"
if [[ ! -x $binary ]]; then
  echo "benches/pictures.sh: there is no $binary: run cargo build --release first, or name the binary" >&2
  exit 2
fi
if [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
  command -v Xvfb > /dev/null || { echo "benches/pictures.sh: there is no display, and no Xvfb" >&2; exit 2; }
  Xvfb :97 -screen 0 2560x1440x24 > /dev/null 2>&1 &
  trap 'kill %1' EXIT
  export DISPLAY=:97
  sleep 1
fi
for size in 1280x720 2560x1440; do
  for theme in dark light; do
    for screen in explore gallery race surprise spot; do
      options=(--scene push --seed 1000007 --size "$size" --after 30)
      if [[ $theme = light ]]; then options+=(--light); fi
      case $screen in
        gallery) options+=(--press 20:F3) ;;
        race) options+=(--press 6:F4) ;;
        surprise) options+=(--press 6:F5) ;;
        spot) options+=(--press 6:F5 --press "8:spot the fake") ;;
      esac
      "$binary" app "${options[@]}" --shot "$folder/$screen-$theme-$size.png" > "$folder/$screen-$theme-$size.log" 2>&1 ||
        echo "$screen, $theme, $size failed: $folder/$screen-$theme-$size.log says why"
      echo "$folder/$screen-$theme-$size.png"
    done
  done
done
