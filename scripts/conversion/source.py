"""Where a checkpoint is from and what is in it: a file or the hub, its digest, its tensors without running code."""

from __future__ import annotations

import hashlib
import json
import pickle  # for the name of its error alone  # nosec B403
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from scripts.conversion import Refused

TORCH_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
HUB = re.compile(r"hf:(?P<repo>[^/@\s]+/[^/@\s]+)/(?P<file>[^@\s]+)(?:@(?P<revision>[^@\s]+))?")
# What training scripts call the weights when they save more than these.
ENTRIES = ("state_dict", "model_state_dict", "model", "net", "module", "weights", "params")
DEEPEST = 8
PICKLE_LIMIT = 64 * 2**20  # the description of the tensors; the numbers themselves lie beside it


@dataclass(frozen=True)
class Source:
    """A file on this machine: `origin` says where it is from, `adapter` what its adapter_config.json says."""

    path: Path
    origin: str
    sha256: str
    adapter: dict[str, Any] = field(default_factory=dict)


def locate(where: str, sha256: str | None = None) -> Source:
    """The file that `where` names: a path, or `hf:OWNER/REPO/FILE[@REVISION]`, which is downloaded into the
    hub's cache.

    Raises Refused when there is none, or when its SHA-256 is not the one demanded.
    """
    if where.startswith("hf:"):
        matched = HUB.fullmatch(where)
        if matched is None:
            raise Refused(
                f"{where}: a file of the hub is named hf:OWNER/REPO/FILE or hf:OWNER/REPO/FILE@REVISION."
            )
        path = _download(matched["repo"], matched["file"], matched["revision"])
        folder, _, _ = matched["file"].rpartition("/")
        adapter = _download(
            matched["repo"], f"{folder}/adapter_config.json".lstrip("/"), matched["revision"], optional=True
        )
        origin = where
    else:
        path = Path(where)
        if not path.is_file():
            raise Refused(f"{where}: there is no such file.")
        adapter = path.with_name("adapter_config.json")
        origin = path.name
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and found != sha256.strip().lower():
        raise Refused(f"{origin}: its SHA-256 is {found}, not the demanded {sha256.strip().lower()}.")
    return Source(path, origin, found, _adapter_config(adapter))


def _download(repo: str, file: str, revision: str | None, *, optional: bool = False) -> Path | None:
    import huggingface_hub
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(huggingface_hub.hf_hub_download(repo, file, revision=revision))
    except EntryNotFoundError as missing:
        if optional and not isinstance(missing, LocalEntryNotFoundError):
            return None
        raise Refused(f"hf:{repo}/{file}: {_first_line(missing)}") from None
    except Exception as failed:  # the hub's client lets through what its HTTP library raises
        raise Refused(f"hf:{repo}/{file} could not be downloaded: {_first_line(failed)}") from None


def _adapter_config(path: Path | None) -> dict[str, Any]:
    if path is None or not path.is_file():
        return {}
    try:
        read = json.loads(path.read_text("utf-8"))
    except ValueError:
        raise Refused(f"{path.name}, beside the checkpoint, is not valid JSON.") from None
    return read if isinstance(read, dict) else {}


def read(path: Path) -> Any:
    """What the file holds, tensors on the CPU; no code of it is ever run.

    Safetensors, or what `torch.save` wrote, by `weights_only=True`. Raises Refused in one line on anything else.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".safetensors":
            from safetensors.torch import load_file

            held = load_file(path)
        elif suffix in TORCH_SUFFIXES:
            zipped = zipfile.is_zipfile(path)
            if zipped:
                _no_bomb(path)
            held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
        else:
            raise Refused(
                f"{path.name}: a checkpoint is a .safetensors file or a PyTorch file ({', '.join(TORCH_SUFFIXES)})."
            )
    except Refused:
        raise
    except pickle.UnpicklingError as refused:
        needs = re.search(r"GLOBAL (\S+)", str(refused))
        raise Refused(
            f"{path.name}: it is not weights alone"
            + (f" (it asks for {needs[1]})" if needs else "")
            + " and was not loaded, because loading it could run code. Save the state dict only."
        ) from None
    except Exception as broken:  # truncated, tampered with, or something else under this name
        raise Refused(f"{path.name}: it cannot be read as a checkpoint ({_first_line(broken)}).") from None
    return held


def _no_bomb(path: Path) -> None:
    """PyTorch stores its tensors as they are: an archive that unfolds into more than itself is none of its."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise Refused(f"{path.name}: PyTorch never compresses its files, and this one is compressed.")
    if sum(entry.file_size for entry in entries) > path.stat().st_size or any(
        entry.filename.endswith(".pkl") and entry.file_size > PICKLE_LIMIT for entry in entries
    ):
        raise Refused(f"{path.name}: it claims to hold more than its size.")


def tensors(held: Any, size: int, entry: str | None = None) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The state dict in what was read, float tensors in float32, and what was unwrapped to get there.

    `size`: of the file in bytes; tensors that claim more are refused. `entry`: which entry to take where several
    look like weights. Raises Refused naming what is not a plain, finite tensor.
    """
    said: list[str] = []
    while isinstance(held, Mapping) and held and not _is_state(held):
        found = [name for name in ([entry] if entry else ENTRIES) if isinstance(held.get(name), Mapping)]
        if entry is None:  # several kinds of average lie beside the weights under names of their own
            found += [
                k for k, v in held.items() if k not in found and isinstance(v, Mapping) and _is_state(v)
            ]
        if len(found) > 1:
            raise Refused(
                f"Weights under several entries: {', '.join(map(str, found))}. Choose one with --entry."
            )
        if not found:
            raise Refused(
                f"No weights found; the file's entries are: {', '.join(map(str, list(held)[:20]))}."
            )
        if len(said) == DEEPEST:  # an entry may even hold itself
            raise Refused(f"The weights lie more than {DEEPEST} entries deep.")
        said.append(f"entry {found[0]!r} unwrapped")
        held, entry = held[found[0]], None
    if not isinstance(held, Mapping) or not held:
        raise Refused(f"The file holds no weights by name, but {type(held).__name__}.")
    odd = [str(k) for k, v in held.items() if not isinstance(v, torch.Tensor) or not isinstance(k, str)]
    odd += [k for k, v in held.items() if k not in odd and not _is_plain(v)]
    if odd:
        raise Refused(_listed("Not plain tensors", odd))
    claimed = sum(value.numel() * value.element_size() for value in held.values())
    if claimed > 2 * size + 2**20:
        raise Refused(f"The tensors claim {claimed:,} bytes, and the file has {size:,}.")
    kinds = {value.dtype for value in held.values() if value.is_floating_point()}
    if kinds - {torch.float32}:
        said.append(
            f"{', '.join(sorted(str(kind).removeprefix('torch.') for kind in kinds))} read as float32"
        )
    plain = {k: v.detach().float() if v.is_floating_point() else v.detach() for k, v in held.items()}
    unsound = [k for k, v in plain.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
    if unsound:
        raise Refused(_listed("Not finite numbers", unsound))
    return plain, said


def _is_plain(value: torch.Tensor) -> bool:
    """Real numbers, all of them there."""
    whole = value.layout == torch.strided and not value.is_meta
    return whole and not value.is_quantized and not value.is_complex()


def _is_state(held: Mapping[Any, Any]) -> bool:
    """Tensors by name, or nearly: what is odd among them is named later."""
    return sum(isinstance(value, torch.Tensor) for value in held.values()) > len(held) / 2


def _listed(title: str, keys: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {key}" for key in keys)])


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
