"""Building of pretrained vision models of the Hugging Face hub, with the optional package ``transformers``."""

from typing import Any

from PIL import Image
from torch import Tensor, nn

from cortexscale.errors import InputError
from cortexscale.models.backbone import GREY, Backbone, DescribedTransform, cannot_build
from cortexscale.models.model import HubBuilder, Model
from cortexscale.models.sources.fetching import fetching_remedy
from cortexscale.models.vision import transforms

try:
    import transformers
except ImportError:
    transformers = None  # type: ignore[assignment]

QWEN_SIZE = 256
"""Side, in pixels, of the image for Qwen3-VL, as in its published features."""


def build(model: Model, weights: bool) -> Backbone:
    """Build a network of the hub.

    An InputError is raised if the package or the model is missing, or if this kind of model is not supported.
    """
    if transformers is None:
        raise InputError(
            f"model {model.id} of the source huggingface",
            "no package transformers",
            "transformers in the environment of the jobs",
            "pip install 'cortexscale[huggingface]', or pip install transformers",
        )
    name = model.built_by(HubBuilder).repository
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        if weights:
            network = transformers.AutoModel.from_pretrained(name, dtype="auto")
        else:
            network = transformers.AutoModel.from_config(config)
        return _KINDS.get(config.model_type, _image_model)(network, name)
    except InputError:
        raise
    except Exception as error:  # the reader of a damaged file in the cache can raise any exception
        remedy = "correct the name, or connect to the network once, where the jobs run or with HF_HOME on a disk that they share"
        raise cannot_build(model, error, fetching_remedy(error) or remedy) from None


def _image_model(network: nn.Module, name: str) -> Backbone:
    processor = transformers.AutoImageProcessor.from_pretrained(name)

    def transform(image: Image.Image) -> Tensor:
        return processor(images=image, return_tensors="pt")["pixel_values"][0]

    return Backbone(network, DescribedTransform(transform, str(processor)))


def _vjepa2(network: nn.Module, name: str) -> Backbone:
    """Return the encoder of V-JEPA2.

    It gets each image as a video of one frame, and repeats this frame as often as a patch has frames.
    """
    encoder = network.get_submodule("encoder")
    encoder.register_forward_pre_hook(lambda _encoder, inputs: (inputs[0][:, None],))
    processor = transformers.AutoVideoProcessor.from_pretrained(name)

    def transform(image: Image.Image) -> Tensor:
        return processor(videos=[image], return_tensors="pt")["pixel_values_videos"][0, 0]

    return Backbone(encoder, DescribedTransform(transform, str(processor)))


def _qwen3_vl(network: "transformers.PreTrainedModel", name: str) -> Backbone:
    """Return the vision tower (``visual``) and language model of Qwen3-VL.

    The image is the only user turn of a conversation.
    """
    processor = transformers.AutoProcessor.from_pretrained(name)
    turn = {"role": "user", "content": [{"type": "image", "image": GREY.resize((QWEN_SIZE, QWEN_SIZE))}]}
    prompt = processor.apply_chat_template([turn], tokenize=True, return_dict=True, return_tensors="pt")["input_ids"]

    def converse(network: "transformers.PreTrainedModel", inputs: tuple[Tensor]) -> tuple[tuple[()], dict[str, Any]]:
        (images,) = inputs
        processed = processor.image_processor(images=list(images), return_tensors="pt")
        tokens = prompt.to(images.device).expand(len(images), -1)
        is_image = (tokens == network.config.image_token_id).int()
        pixels = processed["pixel_values"].to(images.device)
        grid = processed["image_grid_thw"].to(images.device)
        arguments = {"input_ids": tokens, "mm_token_type_ids": is_image, "pixel_values": pixels, "image_grid_thw": grid}
        return (), {**arguments, "use_cache": False}

    network.register_forward_pre_hook(lambda network, inputs, _: converse(network, inputs), with_kwargs=True)
    size = transforms.Resize((QWEN_SIZE, QWEN_SIZE), transforms.InterpolationMode.BICUBIC)
    transform = transforms.Compose([size, transforms.PILToTensor()])
    text = f"{transform}, {processor.image_processor}, prompt {prompt.tolist()}"
    return Backbone(network, DescribedTransform(transform, text), stacked=True)


_KINDS = {"vjepa2": _vjepa2, "qwen3_vl": _qwen3_vl}
"""Builders of models that do not take a batch of images, by the type in their config."""
