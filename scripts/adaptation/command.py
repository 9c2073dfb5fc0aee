"""The command line of adapting: `train_classifier.py adapt`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

EXIT_NOT_BETTER = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `adapt`; nothing heavy is imported for them."""
    parser.add_argument("training_set", type=Path, help="a folder that scripts/export_training_set.py wrote")
    parser.add_argument("--model", type=Path, help="the model folder to start from (default: MODEL_DIR)")
    parser.add_argument(
        "--output", type=Path, required=True, help="the model folder to write, if it is better"
    )
    parser.add_argument(
        "--method",
        choices=("head", "lora"),
        default="head",
        help="head: a new layer on the model's embedding; minutes, any model folder that has one. lora: the "
        "network itself is fine-tuned (rank 16, alpha 32, dropout 0.1 on qkv and proj), for transformers, with "
        "PyTorch; hours without a GPU (default: %(default)s)",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        help="for lora: the PyTorch file that --model was converted from (convert_model.py)",
    )
    parser.add_argument("--epochs", type=int, default=8, help="for lora (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the split and the training (default: 1)")
    parser.add_argument(
        "--place",
        type=float,
        nargs=2,
        metavar=("LAT", "LON"),
        help="where the photos were taken, in degrees, for a model that asks for it",
    )
    # Suppressed, so that it may also stand before `adapt`, where the starter's training has it.
    parser.add_argument("--threads", type=int, default=argparse.SUPPRESS, help="for lora without a GPU")
    parser.add_argument("--name", help="of the new model (default: the old name with -adapted)")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="let --output exist: the folder that is there is kept as NAME.previous, in place of an older one",
    )


def main(arguments: argparse.Namespace) -> int:
    """Exit codes: 0 written, 1 cannot be done, 2 wrong arguments or missing packages, 3 not better and so nothing
    written, 130 stopped."""
    try:
        from lib import config
        from lib.classifier.refusals import ModelUnavailable
        from scripts.adaptation import folder, run
    except ImportError as missing:
        print(f"{missing}. Run it with `make adapt`, which installs what is missing.", file=sys.stderr)
        return 2
    try:
        model = arguments.model or config.load().model_dir
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    wrong = folder.refusal(arguments.output.resolve(), arguments.replace)
    if arguments.method == run.LORA and arguments.checkpoint is None:
        wrong = wrong or "--method lora: say which --checkpoint the model was converted from."
    if wrong:
        print(wrong, file=sys.stderr)
        return 2
    wish = run.Wish(
        training_set=arguments.training_set,
        model=model,
        output=arguments.output,
        method=arguments.method,
        checkpoint=arguments.checkpoint,
        place=tuple(arguments.place) if arguments.place else None,
        epochs=arguments.epochs,
        seed=arguments.seed,
        name=arguments.name,
        threads=arguments.threads,
    )
    try:
        verdict, report = run.adapt(wish)
    except ImportError as missing:
        print(f"{missing}. Run it with `make adapt`, which installs what is missing.", file=sys.stderr)
        return 2
    except ModelUnavailable as error:
        print(f"--model: {error.reason}", file=sys.stderr)
        return 1
    except ValueError as wrong_input:
        print(wrong_input, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Stopped: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing was written.", file=sys.stderr)
        return 130
    print(told(report))
    if verdict.better:
        print(f"Better: wrote {wish.output}. A server takes it as MODEL_DIR.", file=sys.stderr)
    else:
        print(f"Not better, nothing written: {'; '.join(verdict.reasons)}.", file=sys.stderr)
    report.pop("taught")  # a digest for each photo; metrics.json has them
    print(json.dumps({"better": verdict.better, "reasons": verdict.reasons, "report": report}))
    return 0 if verdict.better else EXIT_NOT_BETTER


def told(report: dict[str, Any]) -> str:
    """The figures of the test as lines for a person."""
    from scripts.training.card import interval, percent

    test, strangers = report["test"], report["strangers"]
    old, new, pairs, familiar = test["old"], test["new"], test["all"], test["species_of_the_old_model"]
    lines = [
        f"{test['photos']} test photos, days that neither model learned from",
        f"  named rightly                before {interval(old['top_1'])}   now {interval(new['top_1'])}",
        f"  of the old model's species   before {percent(familiar['a'])}   now {percent(familiar['b'])}   "
        f"({familiar['n']} photos)",
        f"  log-loss                     before {test['log_loss']['old']:.3f}   now {test['log_loss']['new']:.3f}",
        f"  named as a species           before {interval(old['named_as_a_species'])}   "
        f"now {interval(new['named_as_a_species'])}",
        f"  of these right               before {interval(old['of_these_right'])}   "
        f"now {interval(new['of_these_right'])}",
        "  falsely named as a species, when asked without their own",
        f"                               before {_share(strangers['old'])}   now {_share(strangers['new'])}",
        f"  only the old one right {pairs['only_a']}, only the new one {pairs['only_b']}: one-sided exact McNemar "
        f"p = {pairs['one_sided_p']:.2g}",
    ]
    return "\n".join(lines)


def _share(figure: dict[str, Any] | None) -> str:
    from scripts.training.card import interval

    return "–" if figure is None else interval(figure)
