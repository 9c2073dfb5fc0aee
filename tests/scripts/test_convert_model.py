"""The conversion as a person runs it: from a checkpoint to a folder that the server loads, or one clear refusal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

import onnx  # noqa: E402

from lib import classifier  # noqa: E402
from lib.classifier import figures  # noqa: E402
from lib.classifier import folder as model_folder  # noqa: E402
from lib.classifier.model import Classifier  # noqa: E402
from scripts import convert_model  # noqa: E402
from scripts.conversion import export, parity, photos  # noqa: E402
from tests.scripts.conversion import checkpoints  # noqa: E402

pytestmark = pytest.mark.torch
NAMES = [
    "abutilon_theophrasti",
    "Stellaria media",
    "Poa annua",
    "Zea mays",
    "Rumex obtusifolius",
    "Trifolium repens",
    "Chenopodium album",
    "Taraxacum officinale",
    "Capsella bursa-pastoris",
    "Digitaria sanguinalis",
    "Planta inventa",
]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run_main: Callable[..., Run]) -> Run:
    """The command in an empty folder with labels.txt, on one thread."""
    called = run_main(convert_model.main)
    Path("labels.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8")

    def call(*arguments: str) -> tuple[int, str, str]:
        return called("--labels", "labels.txt", "--threads", "1", *arguments)

    return call


def small(name: str = "weeds.pth", **state: torch.Tensor) -> torch.nn.Module:
    """A small Swin's checkpoint in the folder; answers the network."""
    net = checkpoints.small_swin()
    checkpoints.save(net.state_dict() | state, Path(name))
    return net


def tree() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def by_server(
    model: Classifier, images: list[Image.Image], place: tuple[float, float] | None = None
) -> np.ndarray:
    """Logits as the server computes them, before the temperature."""
    fed = parity.feeds(photos.tensors(images, model_folder.parse(model.card)), None)
    if place is not None:
        fed = [feed | {"place": np.array([place], np.float32)} for feed in fed]
    return parity.by_graph(model.folder / "model.onnx", fed)


def by_source(
    net: Callable[..., object], images: list[Image.Image], model: Classifier, *more: torch.Tensor
) -> np.ndarray:
    prepared = photos.tensors(images, model_folder.parse(model.card))
    with torch.inference_mode():
        answers = [net(torch.from_numpy(image), *more) for image in prepared]
    return np.concatenate([(getattr(a, "logits", a)).numpy() for a in answers])


def with_adapters(net: torch.nn.Module, targets: list[str]) -> torch.nn.Module:
    import peft

    config = peft.LoraConfig(r=16, lora_alpha=32, target_modules=targets)
    return checkpoints.random_weights(peft.get_peft_model(net, config), seed=1)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: with_adapters(checkpoints.swin(), ["qkv", "proj"]), "timm of today"),
        (checkpoints.swin, "Microsoft's original, as timm 0.4 to 0.8"),
        (lambda: with_adapters(checkpoints.hugging_face(), ["q_proj", "v_proj"]), "Hugging Face"),
        (checkpoints.torchvision_swin, "torchvision"),
    ],
)
def test_the_served_graph_gives_what_the_source_gives(
    make: Callable[[], torch.nn.Module], kind: str, run: Run
) -> None:
    own = make()
    state = checkpoints.as_first_published(own) if kind.startswith("Microsoft") else own.state_dict()
    checkpoints.save(state, Path("weeds.pth"))
    code, said, wrong = run("weeds.pth", "--output", "out/weeds", "--quantise", "none")
    assert (code, wrong) == (0, "")
    assert f"layout: {kind}" in said
    model = Classifier(Path("out/weeds"))
    images = photos.made(4, seed=9)
    expected = by_source(own, images, model)
    assert expected.std() > 0.3
    assert np.abs(by_server(model, images) - expected).max() < 2e-4
    assert model.card["parity"]["float32"]["largest_logit"] <= parity.LARGEST
    assert model.card["parity"]["float32"]["photos"] == 16


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float32 graph of the small network, exported once for all tests that are not about exporting."""
    from scripts.conversion import network

    where = tmp_path_factory.mktemp("graph")
    made, _, _ = checkpoints.filled(checkpoints.small_swin().state_dict(), where, size=checkpoints.SMALL_SIZE)
    export.write(network.Network(made), checkpoints.SMALL_SIZE, where / "small.onnx")
    return where / "small.onnx"


@pytest.fixture
def exported(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "write", lambda network, size, path: shutil.copyfile(graph, path))


def test_the_graph_tells_nothing_of_where_it_was_made(graph: Path) -> None:
    model = onnx.load(graph)
    raw = graph.read_bytes()
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["logits", "embedding"]
    assert model.opset_import[0].version >= 18
    assert not model.metadata_props
    for name in (b".py", b"site-packages", str(Path(convert_model.__file__).parents[1]).encode()):
        assert name not in raw


@pytest.mark.usefixtures("exported")
def test_the_folder_holds_what_the_card_says(run: Run) -> None:
    small()
    Path("prior.txt").write_text("\n".join(str(n) for n in range(1, 12)))
    code, said, _ = run(
        "weeds.pth",
        "--output",
        "out",
        "--input-size",
        "64",
        "--name",
        "field weeds",
        "--version",
        "2.1",
        "--licence",
        "CC0-1.0",
        "--source",
        "https://example.org/weeds",
        "--prior",
        "prior.txt",
        "--quantise",
        "none",
        "--resize",
        "70",
        "--mean=0.1,0.2,0.3",
    )
    assert code == 0
    card = json.loads(Path("out/model.json").read_text("utf-8"))
    digest = card["checkpoint"]["sha256"]
    assert f"weeds.pth: SHA-256 {digest}" in said
    assert (card["name"], card["version"], card["licence"]) == ("field weeds", "2.1", "CC0-1.0")
    assert (card["resize"]["short_side"], card["mean"], card["input_size"]) == (70, [0.1, 0.2, 0.3], [64, 64])
    assert card["prior"][10] == pytest.approx(11 / 66)
    assert card["parity"]["images"] == "pictures made for it, not photos"
    text = Path("out/MODEL_CARD.md").read_text("utf-8")
    for told in (digest, "https://example.org/weeds", "Planta inventa", "short side 70"):
        assert told in text
    assert "notice" not in card
    model = Classifier(Path("out"))
    assert model.labels[0].species == "Abutilon theophrasti"
    answer = model.classify(photos.made(1)[0])
    assert isinstance(answer, classifier.Classification)
    assert answer.embedding is not None
    assert answer.embedding.shape == (64,)


@pytest.mark.usefixtures("exported")
def test_the_quantised_graph_is_compared_with_the_source(run: Run) -> None:
    small()
    code, said, _ = run("weeds.pth", "--output", "out", "--input-size", "64", "--quantise", "dynamic-int8")
    assert code == 0
    shipped = json.loads(Path("out/model.json").read_text("utf-8"))["parity"]["shipped"]
    assert 1e-4 < shipped["largest_logit"] < 0.5
    assert "int8" in said
    Classifier(Path("out"))


@pytest.mark.usefixtures("exported")
def test_a_static_quantisation_learns_from_other_photos_than_it_is_judged_on(
    run: Run, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts.conversion import quantise

    fed: list[list[bytes]] = []

    def spied(source: Path, folder: Path, method: str, calibration: list[dict[str, np.ndarray]]) -> object:
        fed.append([feed["image"].tobytes() for feed in calibration])
        return made(source, folder, method, calibration)

    made = quantise.quantise
    monkeypatch.setattr(quantise, "quantise", spied)
    small()
    arguments = ("weeds.pth", "--output", "out", "--input-size", "64", "--quantise", "static-int8")
    code, _, wrong = run(*arguments)
    assert code == 1
    assert "--quantise static-int8: " in wrong
    assert not Path("out").exists()
    code, said, _ = run(*arguments, "--photos", str(labelled), "--compare", "20")
    assert code == 0
    assert "static int8" in said
    model = Classifier(Path("out"))
    found = sorted(path for path in labelled.rglob("*.jpg"))
    compared = photos.spread(found, 20)
    reader = model_folder.parse(model.card)
    rest = [photos.opened(path) for path in found if path not in compared]
    assert fed == [[], [image.tobytes() for image in photos.tensors(rest, reader)]]


@pytest.mark.usefixtures("exported")
def test_the_licence_of_inatags_data_is_printed_and_stored(run: Run) -> None:
    small()
    code, said, _ = run(
        "weeds.pth", "--output", "out", "--input-size", "64", "--inatag", "--quantise", "none"
    )
    assert code == 0
    assert "CC BY-NC 4.0" in said
    card = json.loads(Path("out/model.json").read_text("utf-8"))
    assert "CC BY-NC 4.0" in card["notice"]
    assert card["licence"].startswith("CC-BY-NC-4.0")
    assert "arXiv:2503.20068" in Path("out/MODEL_CARD.md").read_text("utf-8")


@pytest.mark.usefixtures("exported")
def test_a_file_of_inatags_repository_is_known_by_its_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    small()

    def hub(repo: str, file: str, revision: str | None = None) -> str:
        if file == "swin_small_with_lora.pth":
            return str(Path("weeds.pth").resolve())
        raise EntryNotFoundError("404")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    origin = "hf:Project-AgML/iNatAg-models/swin_small_with_lora.pth@main"
    code, said, _ = run(origin, "--output", "out", "--input-size", "64", "--quantise", "none")
    assert code == 0
    assert "CC BY-NC 4.0" in said
    card = json.loads(Path("out/model.json").read_text("utf-8"))
    assert card["checkpoint"]["file"] == card["source"] == origin
    assert "CC BY-NC 4.0" in card["notice"]


def test_a_graph_that_differs_from_the_source_is_not_written(
    run: Run, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(network: object, size: int, path: Path) -> None:
        model = onnx.load(graph)
        biases = [t for t in model.graph.initializer if list(t.dims) == [checkpoints.CLASSES]]
        (bias,) = biases
        changed = onnx.numpy_helper.to_array(bias).copy()
        changed[3] += 2e-3
        bias.CopyFrom(onnx.numpy_helper.from_array(changed, bias.name))
        onnx.save(model, path)

    monkeypatch.setattr(export, "write", broken)
    small()
    before = tree()
    code, _, wrong = run("weeds.pth", "--output", "out", "--input-size", "64")
    assert code == 1
    assert "differs from timm's implementation by 0.002" in wrong
    assert tree() == before


class Interrupted(Exception):
    pass


def test_an_interrupted_conversion_leaves_the_old_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(network: object, size: int, path: Path) -> None:
        path.write_bytes(b"half a graph")
        raise Interrupted

    monkeypatch.setattr(export, "write", stopped)
    small()
    Path("out").mkdir()
    Path("out/model.json").write_text("old")
    before = tree()
    with pytest.raises(Interrupted):
        run("weeds.pth", "--output", "out", "--input-size", "64", "--replace")
    assert tree() == before


@pytest.mark.usefixtures("exported")
def test_a_model_is_replaced_only_when_told_to(run: Run) -> None:
    small()
    Path("out").mkdir()
    Path("out/model.json").write_text("old")
    arguments = ("weeds.pth", "--output", "out", "--input-size", "64", "--quantise", "none")
    code, _, wrong = run(*arguments)
    assert (code, Path("out/model.json").read_text()) == (1, "old")
    assert "--replace" in wrong
    assert run(*arguments, "--replace")[0] == 0
    Classifier(Path("out"))
    assert sorted(path.name for path in Path().iterdir()) == ["labels.txt", "out", "weeds.pth"]


def test_what_does_not_fit_is_listed_and_nothing_is_written(run: Run) -> None:
    small(extra=torch.ones(2))
    before = tree()
    code, _, wrong = run("weeds.pth", "--output", "out", "--input-size", "64")
    assert code == 1
    assert "Unexpected (1):\n  extra: 2\n" in wrong
    assert tree() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sha256", "0" * 64], "not the demanded"),
        (["--quantise", "int3"], "--quantise int3: known are auto, none"),
        (["--photos", "nowhere"], "no such folder"),
        (["--calibration", "nowhere"], "no such folder"),
        (["--resize", "32"], "smaller than the input"),
        (["--temperature", "0"], "temperature is missing or not usable"),
        (["--std=0,1,1"], "std is missing or not usable"),
        (["--lora-alpha", "nan"], "--lora-alpha"),
        (["--threads", "0"], "--threads"),
        (["--architecture", "no_such_net"], "no_such_net"),
        (["--place-scale", "unit"], "takes no latitude"),
        (["--head", "body"], "head.fc (11x64)"),
    ],
)
def test_a_bad_option_is_one_clear_line(arguments: list[str], told: str, run: Run) -> None:
    small()
    before = tree()
    code, _, wrong = run("weeds.pth", "--output", "out", "--input-size", "64", *arguments)
    assert code == 1
    assert told in wrong.splitlines()[-1] or told in wrong
    assert "Traceback" not in wrong
    assert tree() == before


def test_a_full_disk_and_a_keypress_are_told_without_a_trace(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    small()
    before = tree()
    for error, code, told in (
        (OSError(28, "No space left on device"), 1, "No space"),
        (KeyboardInterrupt, 130, "Int"),
    ):

        def failing(network: object, size: int, path: Path, error: object = error) -> None:
            path.write_bytes(b"half a graph")
            raise error  # type: ignore[misc]

        monkeypatch.setattr(export, "write", failing)
        ended, _, wrong = run("weeds.pth", "--output", "out", "--input-size", "64")
        assert ended == code
        assert told in wrong
        assert "othing was written" in wrong
        assert tree() == before


def test_outputs_that_mean_one_species_are_served_as_one(run: Run) -> None:
    net = small()
    names = [*NAMES[:-2], "stellaria_nemorum", "persicaria_maculosa"]
    names[0] = "polygonum_persicaria"
    Path("labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    Path("prior.txt").write_text("\n".join("3" if i == 0 else "1" for i in range(11)), encoding="utf-8")
    code, said, wrong = run(
        "weeds.pth", "--output", "out", "--input-size", "64", "--quantise", "none", "--prior", "prior.txt"
    )
    assert (code, wrong) == (0, "")
    assert "1 species have several outputs, which become one" in said
    model = Classifier(Path("out"))
    assert [taxon.species for taxon in model.labels].count("Persicaria maculosa") == 1
    assert (len(model.labels), model.card["classes"], model.labels[0].species) == (
        10,
        10,
        "Persicaria maculosa",
    )
    assert model.prior[0] == pytest.approx(4 / 13)
    assert model.card["taxon_of"] == [*range(10), 0]
    images = photos.made(3, seed=9)
    of_outputs = figures.softmax(by_source(net, images, model))
    of_species = figures.softmax(by_server(model, images))
    assert of_species[:, 0] == pytest.approx(of_outputs[:, 0] + of_outputs[:, 10], abs=1e-4)
    assert of_species[:, 1:] == pytest.approx(of_outputs[:, 1:10], abs=1e-4)
    assert "polygonum persicaria" in Path("out/MODEL_CARD.md").read_text(encoding="utf-8").lower()


def test_a_wrong_number_of_labels_writes_nothing(run: Run) -> None:
    small()
    Path("labels.txt").write_text("\n".join(NAMES[:-1]))
    code, _, wrong = run("weeds.pth", "--output", "out", "--input-size", "64")
    assert code == 1
    assert wrong == "labels.txt has 10 names, and the checkpoint 11 outputs. They must be the same.\n"
    assert not Path("out").exists()


@pytest.fixture
def labelled() -> Path:
    """Photos in folders by species: two of the model's, and one that is not."""
    pictures = photos.made(44, side=96, seed=4)
    for i, picture in enumerate(pictures):
        name = ("Poa_annua", "zea_mays", "Homo_sapiens")[i % 3 if i < 6 else i % 2]
        where = Path("labelled") / name
        where.mkdir(parents=True, exist_ok=True)
        picture.save(where / f"{i}.jpg")
    return Path("labelled")


@pytest.mark.usefixtures("exported")
def test_how_to_tell_strangers_is_fitted_judged_and_told(run: Run, labelled: Path) -> None:
    small()
    for i, picture in enumerate(photos.made(24, side=96, seed=8)):
        Path("others").mkdir(exist_ok=True)
        picture.point(lambda value: value // 8).save(
            Path("others") / f"{i}.png"
        )  # dark, unlike all the others
    arguments = ("weeds.pth", "--input-size", "64", "--quantise", "none", "--strangers", "others")
    code, _, wrong = run(*arguments, "--output", "alone")
    assert code == 1
    assert "--calibration" in wrong
    assert not Path("alone").exists()
    code, said, wrong = run(*arguments, "--output", "out", "--calibration", str(labelled))
    assert (code, wrong) == (0, "")
    model = Classifier(Path("out"))
    figure = model.card["strangers"]
    assert (figure["photos_fitted"], figure["photos_measured"]) == (33, 33)
    assert (model.card["out_of_domain"]["kind"] == "logistic") == figure["used"]
    card = Path("out/MODEL_CARD.md").read_text(encoding="utf-8")
    assert "## Photos of other things" in card
    assert ("It is **not used**" in card) == (not figure["used"])
    assert f"{figure['with_energy']['brier']:.4f}" in said


@pytest.mark.usefixtures("exported")
def test_the_temperature_is_fitted_on_labelled_photos_of_the_models_species(run: Run, labelled: Path) -> None:
    net = small()
    code, said, _ = run(
        "weeds.pth",
        "--output",
        "out",
        "--input-size",
        "64",
        "--quantise",
        "none",
        "--calibration",
        str(labelled),
        "--photos",
        str(labelled),
        "--compare",
        "20",
    )
    assert code == 0
    assert "not the model's species: Homo_sapiens" in said
    model = Classifier(Path("out"))
    card = model.card
    assert card["parity"]["images"] == "photos"
    assert card["parity"]["float32"]["photos"] == 20
    figure = card["calibration"]
    assert figure["photos_fitted"] + figure["photos_measured"] == 42
    # The same by hand: every other photo decides, the others are measured.
    paths = sorted((labelled / "Poa_annua").iterdir()) + sorted((labelled / "zea_mays").iterdir())
    truth = np.array(
        [2] * len(list((labelled / "Poa_annua").iterdir()))
        + [3] * len(list((labelled / "zea_mays").iterdir()))
    )
    logits = by_source(net, [photos.opened(path) for path in paths], model)
    from scripts.training import measure

    temperature = measure.fit_temperature(logits[::2], truth[::2])
    assert card["temperature"] == pytest.approx(temperature, rel=1e-3)
    rest = figures.softmax(logits[1::2], temperature)
    assert figure["calibration_error"] == pytest.approx(
        figures.calibration_error(rest, truth[1::2]), abs=1e-3
    )
    assert figure["top1"]["value"] == pytest.approx((rest.argmax(1) == truth[1::2]).mean())
    assert "area under the risk-coverage curve" in Path("out/MODEL_CARD.md").read_text("utf-8")


class WithPlace(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = checkpoints.small_swin(num_classes=0)
        self.latlon = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU())
        self.classifier = torch.nn.Linear(72, checkpoints.CLASSES)
        checkpoints.random_weights(self, seed=3)

    def forward(self, image: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        given = self.latlon(place / torch.tensor([90.0, 180.0]))
        return self.classifier(torch.cat([self.backbone(image), given], 1))


def test_a_checkpoint_with_a_place_asks_how_and_serves_it(run: Run) -> None:
    own = WithPlace()
    checkpoints.save(own.state_dict(), Path("weeds.pth"))
    arguments = ("weeds.pth", "--output", "out", "--input-size", "64", "--quantise", "none")
    code, _, wrong = run(*arguments)
    assert code == 1
    assert "--place-scale" in wrong
    code, _, wrong = run(*arguments, "--place-scale", "unit", "--default-place=43.06,141.35")
    assert (code, wrong) == (0, "")
    model = Classifier(Path("out"))
    assert model.card["place"] == {
        "default": [43.06, 141.35],
        "scale": "unit",
        "order": "image-first",
        "layers": [[2, 8]],
        "activation": "relu",
        "activated_end": True,
    }
    images = photos.made(3, seed=8)
    for place in ((43.06, 141.35), (-33.9, 18.4)):
        expected = by_source(own, images, model, torch.tensor([place]))
        assert np.abs(by_server(model, images, place) - expected).max() < 2e-4
    # A photo without a place is taken to be at the default one.
    assert (
        model.classify(images[0]).predictions == model.classify(images[0], place=(43.06, 141.35)).predictions
    )
    assert model.classify(images[0]).predictions != model.classify(images[0], place=(-33.9, 18.4)).predictions


@pytest.mark.parametrize("text", ["91,0", "0,181", "43", "a,b"])
def test_a_default_place_off_the_globe_is_refused(text: str, run: Run) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("weeds.pth", "--output", "out", f"--default-place={text}")
    assert stopped.value.code == 2
