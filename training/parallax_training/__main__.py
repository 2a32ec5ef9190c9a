"""`python -m parallax_training RECIPE` trains one model, `python -m parallax_training queue QUEUE.toml` a list of them."""

import sys


def main():
    if sys.argv[1:2] == ["queue"]:
        from . import queue

        sys.exit(queue.main(sys.argv[2:]))
    from . import train

    train.train(train.arguments().parse_args())
    sys.stdout.flush()
    import os

    os._exit(0)  # threads may still wait for shards that nobody needs any more


if __name__ == "__main__":
    main()
