"""The model of a ComfyUI workflow: its checkpoint, LoRAs, IP-Adapters, and what is in the way.

Source: the inputs of ComfyUI's built-in loaders, as its documentation lists them; those of the
extension IPAdapter plus, as its reference of nodes does.
"""

from sdnb.errors import SdnbError
from sdnb.ip_adapter import IPAdapter
from sdnb.lora import Lora
from sdnb.models.ip_adapter_file import SHIPPED as SHIPPED_ADAPTERS
from sdnb.models.lora_file import SHIPPED
from sdnb.records.comfyui_pictures import Pictures
from sdnb.records.draft import Draft
from sdnb.records.named_parts import MOST_LORAS, bare_name, checkpoint_line, part_line
from sdnb.records.workflow import Node, Workflow

_ADAPTING = ("IPAdapter", "IPAdapterAdvanced")
_PLAIN_WEIGHTS = ("", "standard", "linear")


class Model:
    """One reading of a workflow's model."""

    def __init__(self, workflow: Workflow, draft: Draft, pictures: Pictures) -> None:
        self._workflow, self._draft, self._pictures = workflow, draft, pictures
        self._loras: list[Lora] = []
        self._adapters: list[IPAdapter] = []

    def read(self, sampler: Node) -> None:
        """Follow a sampler's model back to its checkpoint."""
        source, seen = self._workflow.source(sampler, "model"), set[str]()
        while source is not None and source.node.id not in seen:
            part = source.node
            seen.add(part.id)
            if part.kind == "CheckpointLoaderSimple":
                self._read_checkpoint(part)
                break
            self._read_part(part)
            source = self._workflow.source(part, "model")
        else:
            why = "no checkpoint that sdnb knows stands behind the sampler; the loaded one draws"
            self._draft.leave(sampler.place, "model", why)
        if len(self._loras) == MOST_LORAS:
            self._draft.leave(sampler.place, "model", f"of its LoRAs {MOST_LORAS} are read")
        self._draft.request = self._draft.request.changed(
            loras=tuple(reversed(self._loras)), ip_adapters=tuple(reversed(self._adapters))
        )

    def _read_checkpoint(self, node: Node) -> None:
        name = bare_name(node.word("ckpt_name"))
        if name:
            self._draft.request = self._draft.request.changed(checkpoint=name)
            self._draft.lines.append(checkpoint_line(node.place, name))

    def _read_part(self, node: Node) -> None:
        if node.kind in ("LoraLoader", "LoraLoaderModelOnly"):
            if len(self._loras) < MOST_LORAS:
                self._read_lora(node)
        elif node.kind in _ADAPTING:
            self._read_adapter(node)
        elif not node.kind.startswith("IPAdapterUnifiedLoader"):  # it hands the model through
            self._draft.leave(node.place, "", "what it does to the model is left out")

    def _read_lora(self, node: Node) -> None:
        name = bare_name(node.word("lora_name"))
        weight = node.number("strength_model", 1.0)
        text = 0.0 if node.kind == "LoraLoaderModelOnly" else node.number("strength_clip", weight)
        try:
            lora = Lora(name, weight, text)
        except SdnbError as error:
            self._draft.leave(node.place, name, error.what)
            return
        self._draft.lines.append(part_line(node.place, name, f"loras={lora}", SHIPPED))
        self._loras.append(lora)

    def _read_adapter(self, node: Node) -> None:
        """Read an IP-Adapter of the extension; its file must be named, not chosen by a preset."""
        loader = self._workflow.source(node, "ipadapter")
        name = "" if loader is None else bare_name(loader.node.word("ipadapter_file"))
        source = self._workflow.source(node, "image")
        picture = None if source is None else self._pictures.of(source)
        if not name or picture is None:
            what = "its picture" if name else "the name of its file"
            self._draft.leave(
                node.place, name, f"an IP-Adapter, left out: {what} is not known here"
            )
            return
        try:
            adapter = IPAdapter(
                picture=picture,
                reference=name,
                weight=node.number("weight", 1.0),
                begin=node.number("start_at", 0.0),
                end=node.number("end_at", 1.0),
            )
        except SdnbError as error:
            self._draft.leave(node.place, name, error.what)
            return
        self._adapters.append(adapter)
        line = part_line(node.place, name, f"ip_adapters={adapter}", SHIPPED_ADAPTERS)
        self._draft.lines.append(line)
        self._say_of_adapter(node, adapter)

    def _say_of_adapter(self, node: Node, adapter: IPAdapter) -> None:
        if (kind := node.word("weight_type")) not in _PLAIN_WEIGHTS:
            why = "all layers are weighted alike here"
            self._draft.leave(f"{node.place} weight_type", kind[:60], why)
        if "attn_mask" in node.inputs:
            self._draft.leave(f"{node.place} attn_mask", "", "it holds for the whole picture here")
        if (adapter.begin, adapter.end) != (0, 1):
            self._draft.leave(
                f"{node.place} start_at, end_at", "", "there of the noise, here of the steps"
            )
