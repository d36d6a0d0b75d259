"""Networks of the V4 study that neither timm nor torchvision has, for rows of the config with the source `python`."""

from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from cortexscale.models.vision import timm, transforms

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class BasicBlock(nn.Module):
    """Two convolutions beside an identity. Where the channels double, the identity takes every second pixel and adds zeros."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.added = stride, outputs - inputs

    def forward(self, images: Tensor) -> Tensor:
        changed = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(images)))))
        kept = images[:, :, :: self.stride, :: self.stride]
        return functional.relu(changed + functional.pad(kept, (0, 0, 0, 0, self.added // 2, self.added // 2)))


class CifarResNet(nn.Module):
    """A ResNet for images of 32 pixels (He et al. 2016, section 4.2): three stages of 16, 32 and 64 channels."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        blocks = (depth - 2) // 6
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = stage(blocks, 16, 16, 1), stage(blocks, 16, 32, 2), stage(blocks, 32, 64, 2)
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.layer3(self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(images))))))
        return self.linear(maps.mean(dim=(2, 3)))


def stage(blocks: int, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """Build a stage, whose first block changes the number of channels."""
    first = BasicBlock(inputs, outputs, stride)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1)))


def cifar_resnet(depth: int) -> nn.Module:
    """Build a ResNet-20, -32, -44, -56 or -110 for CIFAR-10. Its weights come from a checkpoint."""
    return CifarResNet(depth)


def cifar_image(image: Image.Image) -> Tensor:
    """Make the input (3, 32, 32) of a network for CIFAR-10."""
    steps = [transforms.Resize(32), transforms.CenterCrop(32), transforms.ToTensor(), transforms.Normalize(MEAN, SD)]
    return transforms.Compose(steps)(image)


def untrained(name: str) -> nn.Module:
    """Build a network of timm with random weights, which are the same in every job."""
    return timm.create_model(name, pretrained=False)
