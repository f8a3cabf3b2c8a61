"""Pipelines of diffusers with random weights, small enough to run at once; and a toy one."""

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    HeunDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from sdnb.models.checkpoint import locate

NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def tiny_vae(channels):
    return AutoencoderKL(
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=channels,
        norm_num_groups=2,
        shift_factor=0.1,
    )


def tiny_text(kind, words):
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=8,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    return kind(config).eval()


def tiny_sdxl(words):
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=16,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=8 + 6 * 4,
    )
    return StableDiffusionXLPipeline(
        unet=unet,
        vae=tiny_vae(4),
        text_encoder=tiny_text(CLIPTextModel, words),
        text_encoder_2=tiny_text(CLIPTextModelWithProjection, words),
        tokenizer=words,
        tokenizer_2=words,
        scheduler=EulerDiscreteScheduler(**NOISE),
        add_watermarker=False,
    )


def tiny_sd3(words):
    transformer = SD3Transformer2DModel(
        sample_size=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=16,
        caption_projection_dim=16,
        pooled_projection_dim=16,
        pos_embed_max_size=16,
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        vae=tiny_vae(16),
        text_encoder=tiny_text(CLIPTextModelWithProjection, words),
        text_encoder_2=tiny_text(CLIPTextModelWithProjection, words),
        text_encoder_3=None,
        tokenizer=words,
        tokenizer_2=words,
        tokenizer_3=None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def tiny_flux(words):
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=8,
        axes_dims_rope=(4, 4, 8),
    )
    return FluxPipeline(
        transformer=transformer,
        vae=tiny_vae(4),
        text_encoder=tiny_text(CLIPTextModel, words),
        text_encoder_2=None,
        tokenizer=words,
        tokenizer_2=None,
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
    )


def embedded(_words):
    return StableDiffusionPipeline.from_pretrained(
        locate("tiny"), local_files_only=True, dtype=torch.float32
    )


def embedded_with(scheduler, **options):
    def make(words):
        pipeline = embedded(words)
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **options)
        return pipeline

    return make


def flux_text():
    generator = torch.Generator().manual_seed(5)
    names = ("prompt_embeds", "negative_prompt_embeds")
    embeds = {name: torch.randn(1, 6, 8, generator=generator) for name in names}
    names = ("pooled_prompt_embeds", "negative_pooled_prompt_embeds")
    return embeds | {name: torch.randn(1, 8, generator=generator) for name in names}


# how it is made, the network's name, what it is asked, calls of the scheduler, answers in each
CASES = {
    "sdxl": (tiny_sdxl, "unet", {"prompt": "a cat"}, 3, 1),
    "sd3": (tiny_sd3, "transformer", {"prompt": "a cat"}, 3, 1),
    "flux": (tiny_flux, "transformer", {**flux_text(), "true_cfg_scale": 2.0}, 3, 2),
    "ddim, noisy": (embedded_with(DDIMScheduler), "unet", {"prompt": "a cat", "eta": 1.0}, 3, 1),
    "heun": (embedded_with(HeunDiscreteScheduler), "unet", {"prompt": "a cat"}, 5, 1),
    "ancestral": (
        embedded_with(EulerAncestralDiscreteScheduler),
        "unet",
        {"prompt": "a cat"},
        3,
        1,
    ),
}


class Case:
    """A pipeline with a fixed question, so that it gives one picture only."""

    def __init__(self, make, network, asked, calls, answers):
        words = CLIPTokenizer.from_pretrained(locate("tiny") / "tokenizer", local_files_only=True)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.pipeline = make(words)
        self.pipeline.set_progress_bar_config(disable=True)
        self.network = getattr(self.pipeline, network)
        self.asked, self.calls, self.answers = asked, calls, answers

    def __call__(self, output_type="pt", **options):
        asked = {"height": 32, "width": 32, "num_inference_steps": 3, **self.asked, **options}
        generator = torch.Generator().manual_seed(3)
        return self.pipeline(generator=generator, output_type=output_type, **asked).images

    def is_untouched(self):
        scheduler = self.pipeline.scheduler
        own = [name for name in ("step", "set_timesteps") if name in vars(scheduler)]
        return not own and not self.network._forward_hooks


class Sine(torch.nn.Module):
    """A network that answers at once."""

    def forward(self, x, _t):
        return (0.3 * torch.sin(x),)


class Toy:
    """The smallest pipeline: what every one of diffusers does around its scheduler."""

    def __init__(self, scheduler, network=None):
        self.scheduler = scheduler
        self.transformer = Sine() if network is None else network

    def __call__(self, steps=3):
        self.scheduler.set_timesteps(steps)
        x = 14 * torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
        for t in self.scheduler.timesteps:
            answer = self.answer(x, t)
            x = self.scheduler.step(answer, t, x, return_dict=False)[0]
        return x

    def answer(self, x, t):
        return self.transformer(self.scheduler.scale_model_input(x, t), t)[0]
