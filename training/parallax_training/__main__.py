"""`python -m parallax_training RECIPE` trains one model, `python -m parallax_training queue QUEUE.toml` a
list of them."""

import os
import sys
import traceback


def main():
    if sys.argv[1:2] == ["queue"]:
        from . import queue

        sys.exit(queue.main(sys.argv[2:]))
    from . import train

    options, code = train.arguments().parse_args(), 0
    try:
        train.train(options)
    except SystemExit as e:
        print(e, file=sys.stderr)
        code = e.code if isinstance(e.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass
    os._exit(code)  # threads may still wait for shards that nobody needs any more


if __name__ == "__main__":
    main()
