"""Models of the Hugging Face hub, tiny and random, in the files that it has."""

from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
    VJEPA2Config,
    VJEPA2Model,
    VJEPA2VideoProcessor,
)

WORDS = ["<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>", "user", "[UNK]"]
TURN = (
    "{% for m in messages %}<|im_start|>{{ m.role }} {% for c in m.content %}{% if c.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}<|im_end|>{% endfor %}"
)
SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}


def write_vit(folder: Path) -> None:
    ViTModel(ViTConfig(image_size=32, patch_size=8, **SMALL)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def write_vjepa2(folder: Path) -> None:
    predictor = {"pred_hidden_size": 16, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    network = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "patch_size": 16, "frames_per_clip": 4}
    VJEPA2Model(VJEPA2Config(crop_size=32, **network, **predictor)).save_pretrained(folder)
    crop = {"height": 32, "width": 32}
    VJEPA2VideoProcessor(size={"shortest_edge": 36}, crop_size=crop).save_pretrained(folder)


def write_qwen3_vl(folder: Path) -> None:
    words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", additional_special_tokens=WORDS[:6])
    grey = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    pixels = {"shortest_edge": 256 * 256, "longest_edge": 4096 * 4096}
    images = Qwen2VLImageProcessor(patch_size=16, merge_size=2, size=pixels, **grey)
    videos = Qwen3VLVideoProcessor(patch_size=16, merge_size=2)
    processor = Qwen3VLProcessor(image_processor=images, tokenizer=tokenizer, video_processor=videos, chat_template=TURN)
    processor.save_pretrained(folder)
    vision = {"hidden_size": 32, "depth": 3, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 48}
    text = SMALL | {"hidden_size": 48, "num_key_value_heads": 1, "head_dim": 24, "vocab_size": len(WORDS)}
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [4, 4, 4]}
    ids = {"image_token_id": 2, "vision_start_token_id": 3, "vision_end_token_id": 4, "video_token_id": 5}
    config = Qwen3VLConfig(
        vision_config=vision | {"deepstack_visual_indexes": [0, 1], "num_position_embeddings": 256},
        text_config=text | {"rope_parameters": rope},
        **ids,
    )
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
