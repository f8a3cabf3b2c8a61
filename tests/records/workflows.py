"""ComfyUI workflows in API format, made here from the documented inputs of its core nodes."""

from typing import Any

Nodes = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def text_to_image(**sampling: Any) -> Nodes:
    """The first workflow of everybody: checkpoint, two prompts, an empty picture, a sampler."""
    values = {
        "seed": 77,
        "steps": 25,
        "cfg": 6.5,
        "sampler_name": "dpmpp_2m",
        "scheduler": "karras",
        "denoise": 1.0,
        "model": ["4", 0],
        "positive": ["6", 0],
        "negative": ["7", 0],
        "latent_image": ["5", 0],
    }
    return {
        "3": node("KSampler", **(values | sampling)),
        "4": node("CheckpointLoaderSimple", ckpt_name="tiny.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a (red:1.2) fish", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="a dog", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="ComfyUI", images=["8", 0]),
    }


def with_loras() -> Nodes:
    return text_to_image(model=["11", 0]) | {
        "10": node(
            "LoraLoader",
            lora_name="sub/ink.safetensors",
            strength_model=0.8,
            strength_clip=0.5,
            model=["4", 0],
            clip=["4", 1],
        ),
        "11": node(
            "LoraLoaderModelOnly", lora_name="b.safetensors", strength_model=1, model=["10", 0]
        ),
        "12": node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["10", 1]),
        "6": node("CLIPTextEncode", text="a fish", clip=["12", 0]),
    }


def image_to_image(masked: bool = False) -> Nodes:
    nodes = text_to_image(latent_image=["21", 0], denoise=0.6) | {
        "20": node("LoadImage", image="in.png"),
        "21": node("VAEEncode", pixels=["20", 0], vae=["4", 2]),
    }
    if masked:
        nodes["22"] = node("SetLatentNoiseMask", samples=["21", 0], mask=["20", 1])
        nodes["3"]["inputs"]["latent_image"] = ["22", 0]
    return nodes


def second_pass() -> Nodes:
    first = text_to_image()
    second = first["3"]["inputs"] | {"latent_image": ["30", 0], "denoise": 0.5, "steps": 12}
    return first | {
        "30": node("LatentUpscaleBy", upscale_method="bilinear", scale_by=1.5, samples=["3", 0]),
        "31": node("KSampler", **second),
        "8": node("VAEDecode", samples=["31", 0], vae=["4", 2]),
    }


def controlled() -> Nodes:
    return text_to_image(positive=["42", 0], negative=["42", 1]) | {
        "40": node("ControlNetLoader", control_net_name="depth.safetensors"),
        "41": node("LoadImage", image="in.png"),
        "42": node(
            "ControlNetApplyAdvanced",
            positive=["6", 0],
            negative=["7", 0],
            control_net=["40", 0],
            image=["41", 0],
            strength=0.7,
            start_percent=0.0,
            end_percent=1.0,
        ),
    }


def adapted() -> Nodes:
    """With the nodes of the extension IPAdapter plus, as its reference of nodes lists them."""
    return text_to_image(model=["72", 0]) | {
        "70": node("IPAdapterModelLoader", ipadapter_file="sub/face.safetensors"),
        "71": node("LoadImage", image="in.png"),
        "72": node(
            "IPAdapterAdvanced",
            model=["4", 0],
            ipadapter=["70", 0],
            image=["71", 0],
            weight=0.6,
            weight_type="style transfer",
            combine_embeds="concat",
            start_at=0.25,
            end_at=1.0,
            embeds_scaling="V only",
        ),
    }


def advanced(**changed: Any) -> Nodes:
    nodes = text_to_image()
    inputs = nodes["3"]["inputs"]
    seed = {"noise_seed": inputs.pop("seed"), "add_noise": "enable", "start_at_step": 10}
    more = {"end_at_step": 10_000, "return_with_leftover_noise": "disable"}
    nodes["3"] = node("KSamplerAdvanced", **(inputs | seed | more | changed))
    return nodes
