"""Reading a checkpoint: digests, wrappers, and files that must not be loaded."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from scripts.conversion import Refused, source  # noqa: E402

pytestmark = pytest.mark.torch
STATE = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.ones(3)}


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def tensors(path: Path, entry: str | None = None) -> tuple[dict[str, torch.Tensor], list[str]]:
    return source.tensors(source.read(path), path.stat().st_size, entry)


def test_a_digest_is_told_and_demanded(tmp_path: Path) -> None:
    path = saved(STATE, tmp_path / "x.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert source.locate(str(path)).sha256 == digest
    assert source.locate(str(path), digest.upper()).origin == "x.pth"
    with pytest.raises(Refused, match=f"{digest}, not the demanded 00"):
        source.locate(str(path), "00" * 32)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no such file"):
        source.locate(str(tmp_path / "gone.pth"))


@pytest.mark.parametrize("name", ["hf:owner/repo", "hf:owner", "hf:owner/repo/file@", "hf: owner/repo/x.pth"])
def test_a_name_of_the_hub_is_checked_before_anything_is_asked(name: str) -> None:
    with pytest.raises(Refused, match="hf:OWNER/REPO/FILE@REVISION"):
        source.locate(name)


def test_the_hub_is_asked_for_the_file_at_its_revision_and_for_the_adapters_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError

    asked: list[tuple[str, str, str | None]] = []
    path = saved(STATE, tmp_path / "x.pth")
    config = tmp_path / "config"
    config.write_text(json.dumps({"lora_alpha": 7}))

    def hub(repo: str, file: str, revision: str | None = None) -> str:
        asked.append((repo, file, revision))
        return str(config if file.endswith("adapter_config.json") else path)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    found = source.locate("hf:owner/repo/deep/x.pth@abc123")
    assert asked == [
        ("owner/repo", "deep/x.pth", "abc123"),
        ("owner/repo", "deep/adapter_config.json", "abc123"),
    ]
    assert (found.path, found.origin, found.adapter) == (
        path,
        "hf:owner/repo/deep/x.pth@abc123",
        {"lora_alpha": 7},
    )

    def without(repo: str, file: str, revision: str | None = None) -> str:
        if file == "x.pth":
            return str(path)
        raise EntryNotFoundError("404")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", without)
    assert source.locate("hf:owner/repo/x.pth").adapter == {}
    with pytest.raises(Refused, match=r"hf:owner/repo/y.pth: 404"):
        source.locate("hf:owner/repo/y.pth")

    def offline(repo: str, file: str, revision: str | None = None) -> str:
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(Refused, match=r"could not be downloaded: no route$"):
        source.locate("hf:owner/repo/x.pth")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".PTH"])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_of_both_formats_are_read(suffix: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    assert torch.equal(tensors(path)[0]["a.weight"], STATE["a.weight"])


def test_safetensors_are_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(STATE, tmp_path / "x.safetensors")
    assert torch.equal(tensors(tmp_path / "x.safetensors")[0]["a.bias"], STATE["a.bias"])


@pytest.mark.parametrize("entry", source.ENTRIES)
def test_the_usual_entries_are_unwrapped_and_told(entry: str, tmp_path: Path) -> None:
    found, said = tensors(saved({entry: STATE, "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "x.pth"))
    assert list(found) == list(STATE)
    assert said == [f"entry {entry!r} unwrapped"]


def test_entries_within_entries_are_unwrapped(tmp_path: Path) -> None:
    _, said = tensors(saved({"model": {"state_dict": STATE}}, tmp_path / "x.pth"))
    assert said == ["entry 'model' unwrapped", "entry 'state_dict' unwrapped"]


def test_an_entry_that_holds_itself_is_refused(tmp_path: Path) -> None:
    endless: dict[str, object] = {}
    endless["model"] = endless
    with pytest.raises(Refused, match="more than 8 entries deep"):
        tensors(saved(endless, tmp_path / "x.pth"))


def test_weights_under_two_entries_are_chosen_by_a_person(tmp_path: Path) -> None:
    path = saved({"model": STATE, "model_ema": {"b.weight": torch.ones(2)}}, tmp_path / "x.pth")
    with pytest.raises(Refused, match=r"model, model_ema. Choose one with --entry"):
        tensors(path)
    assert list(tensors(path, "model_ema")[0]) == ["b.weight"]
    with pytest.raises(Refused, match="entries are: model, model_ema"):
        tensors(path, "nothing")


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)

    def __init__(self, mark: Path) -> None:
        self.mark = mark


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(zipped: bool, tmp_path: Path) -> None:
    mark, path = tmp_path / "was-run", tmp_path / "x.pth"
    torch.save({**STATE, "trap": Trap(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(Refused, match="not weights alone") as told:
        source.read(path)
    assert "system" in str(told.value)
    assert "\n" not in str(told.value)
    assert not mark.exists()


def test_a_bare_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    mark, path = tmp_path / "was-run", tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(Refused):
        source.read(path)
    assert not mark.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    path = saved(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    with pytest.raises(
        Refused, match=r"asks for torch\.nn\.modules\.linear\.Linear.*Save the state dict only"
    ):
        source.read(path)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.98])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_refused_in_one_line(suffix: str, kept: float, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / f"x{suffix}"
    big = {"a.weight": torch.ones(100, 100)}
    saved(big, path) if suffix == ".pth" else save_file(big, path)
    data = path.read_bytes()
    path.write_bytes(data[: kept if kept >= 1 or kept == 0 else int(len(data) * kept)])
    with pytest.raises(Refused, match=r"^x\.\w+: it cannot be read as a checkpoint") as told:
        source.read(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["x.txt", "x.pkl", "x.onnx", "x"])
def test_other_kinds_of_files_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("hello")
    with pytest.raises(Refused, match=r"is a .safetensors file or a PyTorch file"):
        source.read(tmp_path / name)


def test_text_under_the_name_of_a_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(Refused):
        source.read(tmp_path / "x.pth")


def test_a_compressed_archive_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * 50_000_000)
    with pytest.raises(Refused, match="this one is compressed"):
        source.read(path)


def test_tensors_that_claim_more_than_the_file_are_refused(tmp_path: Path) -> None:
    # One number in the file, a billion by its description.
    path = saved({"a.weight": torch.ones(1).expand(1_000_000_000)}, tmp_path / "x.pth")
    assert path.stat().st_size < 10_000
    with pytest.raises(Refused, match="claim 4,000,000,000 bytes"):
        tensors(path)


def test_what_is_not_a_plain_finite_tensor_is_named(tmp_path: Path) -> None:
    nan = torch.tensor([1.0, float("nan")])
    with pytest.raises(Refused, match=r"Not finite numbers:\n  b$"):
        tensors(saved({**STATE, "b": nan}, tmp_path / "x.pth"))
    odd = {
        "b": 3,
        "c": torch.ones(2, 2).to_sparse(),
        "d": torch.empty(2, device="meta"),
        "e": torch.ones(2, dtype=torch.complex64),
    }
    with pytest.raises(Refused, match=r"Not plain tensors:\n  b\n  c\n  d\n  e$"):
        tensors(saved({**STATE, **odd}, tmp_path / "y.pth"))


@pytest.mark.parametrize("held", [[1, 2], {}, torch.ones(2)])
def test_a_file_without_weights_by_name_says_so(held: object, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no weights by name"):
        tensors(saved(held, tmp_path / "x.pth"))


def test_a_broken_adapter_config_is_refused(tmp_path: Path) -> None:
    path = saved(STATE, tmp_path / "x.pth")
    (tmp_path / "adapter_config.json").write_text("{")
    with pytest.raises(Refused, match=r"adapter_config\.json"):
        source.locate(str(path))
