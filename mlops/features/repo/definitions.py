"""What `feast apply` registers: it looks for objects with names in this module."""

from mlops.features.catalog import CARD_STATS, CUSTOMER_STATS, MERCHANT_STATS
from mlops.features.repo.objects import entity, feature_view
from mlops.features.repo.settings import FeatureRepoSettings

_FOLDER = FeatureRepoSettings().features_folder

customer = entity(CUSTOMER_STATS)
card = entity(CARD_STATS)
merchant = entity(MERCHANT_STATS)

customer_stats = feature_view(CUSTOMER_STATS, _FOLDER)
card_stats = feature_view(CARD_STATS, _FOLDER)
merchant_stats = feature_view(MERCHANT_STATS, _FOLDER)
