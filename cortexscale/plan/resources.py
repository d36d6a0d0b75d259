"""What the jobs of a study may use: memory in MB and minutes, as bounds from shapes that are known before the data are."""

from cortexscale.plan.alignment import AlignmentPlan
from cortexscale.plan.data import DataPlan
from cortexscale.plan.models import ModelPlan
from cortexscale.study import Study


class Resources:
    """Bounds for each stage of a plan."""

    def __init__(self, study: Study, data: DataPlan, models: ModelPlan, alignment: AlignmentPlan):
        self.study, self.data, self.models, self.alignment = study, data, models, alignment

    def preprocess_mb(self, dataset: str) -> int:
        return 500 + self.data.reading_mb(dataset)

    def ridge_mb(self, stimuli: str) -> int:
        """Responses of all datasets, a kernel of all images, and for the largest dataset the centred kernel and two factors
        (n x n each), with several datasets its own kernel too, responses and dual coefficients (n x units each), one slab.

        The base holds the libraries, and the host side of a CUDA context.
        """
        value = 4 if self.study.ridge.precision == "float32" else 8
        shapes = [self.data.shape(dataset) for dataset in self.data.datasets_on(stimuli)]
        responses = self._responses_bytes(stimuli)
        copies = 3 if len(shapes) == 1 else 4
        largest = max(value * (copies * (n_train + n_test) ** 2 + 2 * n_train * n_units) for n_train, n_test, n_units in shapes)
        n_images = self.kernel_images(stimuli)
        shared = value * n_images**2
        similarity = max(self._similarity_bytes(value, *shape) for shape in shapes)
        return 4000 + int((responses + largest + shared + similarity + 4 * n_images * 4096) / 1e6)

    def prepare_mb(self, stimuli: str) -> int:
        """Responses of all datasets, of one of them three copies in float64, and a geometry with its ranking."""
        largest = 0
        for dataset in self.data.datasets_on(stimuli):
            n_train, n_test, n_units = self.data.shape(dataset)
            n = n_train if "train" in self.study.similarity.splits else n_test
            most = max(self.data.shape(dataset, [subject])[2] for subject in self.data.subjects_scored(dataset))
            decomposed = 24 * n_train**2 if most > n_train else 0
            largest = max(largest, 24 * n * n_units + 16 * n**2 + decomposed)
        return 2000 + int((self._responses_bytes(stimuli) + largest) / 1e6)

    def _responses_bytes(self, stimuli: str) -> int:
        """float32, of the subjects that are scored."""
        return sum(
            4 * (n_train + n_test) * n_units
            for dataset in self.data.datasets_on(stimuli)
            for subject in self.data.subjects_scored(dataset)
            for n_train, n_test, n_units in [self.data.shape(dataset, [subject])]
        )

    def _similarity_bytes(self, value: int, n_train: int, n_test: int, n_units: int) -> int:
        """Predictions of about three ROIs per unit, kept and new, and three geometries with their ranking."""
        n = {"train": n_train, "test": n_test}
        splits = self.study.similarity.splits
        return sum(6 * value * n[split] * n_units for split in splits) + max((16 * n[split] ** 2 for split in splits), default=0)

    def ridge_minutes(self, stimuli: str, layers: int) -> int:
        """A generous bound: inverses and products of all penalties at 5 TFLOP/s, a tenth of what a data-centre GPU does."""
        shapes = [self.data.shape(dataset) for dataset in self.data.datasets_on(stimuli)]
        work = sum(2 * n_train**3 + 4 * n_train**2 * n_units for n_train, _, n_units in shapes)
        return 20 + int(layers * self.study.ridge.alphas.count * work / 5e12 / 60)

    def training_mb(self, model: str) -> int:
        """Libraries and network of every process, what its loaders hold, and arrays in memory, whole and cut to the subset."""
        suite = self.models.suite(model)
        arrays = 2 * 3 * suite.image_size**2 * suite.expected / 1e6 if suite.images.endswith(".npz") else 0
        return int(self.study.training.gpus * (4000 + arrays) + (0 if arrays else 16_000))

    def training_minutes(self, model: str) -> int:
        """A generous bound: 300 images/s and GPU; at most two days, after which a further try goes on where it stopped."""
        return min(60 + int(self.models.training_length(model).images_seen / (300 * self.study.training.gpus) / 60), 2 * 24 * 60)

    def kernel_images(self, stimuli: str) -> int:
        """Images of the largest kernel: all of the set where several datasets show it, else those of one subject."""
        sizes = [n_train + n_test for n_train, n_test, _ in map(self.data.shape, self.data.datasets_on(stimuli))]
        return max(self.data.images(stimuli) or 0, *sizes) if len(sizes) > 1 else sizes[0]

    def features_mb(self, stimuli: str | None, layers: int) -> int:
        """Network and images; waiting rows of every layer, and the projection matrices. For exact kernels, waiting rows of
        bounded size, a kernel in float64, and a slab of columns twice in float16 and once in float64.
        """
        if self.alignment.exact:
            n = self.kernel_images(stimuli) if stimuli else 0
            return 10_000 + int((8 * n**2 + n * (4 * 4096 + 8 * 2048)) / 1e6)
        rows = 512 * layers * self.study.features.projection.dimensions * 4
        return 6000 + int(rows / 1e6)

    def sweep_mb(self) -> int:
        """The most that extracting all candidates of a model asks for; of a study without images, what it would ask for."""
        return max(self.features_mb(stimuli, layers=64) for stimuli in self.data.stimuli or [None])

    def features_minutes(self, stimuli: str, layers: int, exact: bool = False) -> int:
        """A generous bound: 50 images/s for 16 layers. For exact kernels also n^2 d operations at 5 TFLOP/s, and a pass over
        the images for each filling of the scratch space; a layer has d = 200,000 activations.
        """
        n, passes, kernels = self.data.images(stimuli) or 0, layers / 16, 0.0
        if exact or self.alignment.exact:
            passes += 2 * n * layers * 2e5 / (1e9 * self.study.features.scratch_gb)
            kernels = layers * n * self.kernel_images(stimuli) * 2e5 / 5e12 / 60
        return int(30 * layers / 16 + passes * n / 50 / 60 + kernels)

    def projection_mb(self, stimuli: str) -> int:
        """Extraction holds waiting rows of bounded size; beside ridge there are matrices and a block of rows of projections."""
        return 8000 + self.ridge_mb(stimuli)

    def projection_minutes(self, stimuli: str, model: str) -> int:
        """One extraction, then ridge for all activations and each projection."""
        scored = 1 + len(self.alignment.projections(model))
        return self.features_minutes(stimuli, layers=16) + scored * self.ridge_minutes(stimuli, layers=16)
