"""`deepself map`: place a study's items in the plane, by what its best network makes of them."""

import argparse

from deepself.cli.common import add_device, add_study, open_study, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    add_study(parser)
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads")
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Write the map."""
    import torch

    from deepself.report.placing import about, make_map
    from deepself.store.files import read_json

    torch.set_num_threads(args.threads)
    study, layout = open_study(args)
    path = make_map(study, layout, args.device)
    said = read_json(about(layout))
    print(
        f"{path}: {said['items']} of {said['of']} items by {said['model']}, fold {said['fold']}, "
        f"seed {said['seed']}: {said['size']} values each; mean dev UAR {said['dev_uar']:.3f}"
    )
