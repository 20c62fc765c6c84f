"""The 14 CheXpert observations and the values a label can take.

Order and spelling follow CheXpert (Irvin et al. 2019, AAAI 33:590-597); the values are those of
MIMIC-CXR-JPG's label tables (Johnson et al. 2019, arXiv:1901.07042). Every array with an axis
of 14 in this project runs in the order of `OBSERVATIONS`.
"""

OBSERVATIONS: tuple[str, ...] = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)

NO_FINDING = "No Finding"
SUPPORT_DEVICES = "Support Devices"

POSITIVE = 1.0
NEGATIVE = 0.0
UNCERTAIN = -1.0
BLANK = float("nan")
"""Not mentioned. NaN, so an empty cell in a CSV."""
