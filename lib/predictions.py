"""What a model said of a photo, as the record that every store keeps."""

from __future__ import annotations

from datetime import UTC, datetime

from lib.classifier import Classification
from lib.store.records import Prediction


def prediction_record(said: Classification) -> Prediction:
    """The record of what a model said just now."""
    best = said.predictions[0] if said.predictions else None
    return Prediction(
        model_name=said.model_name,
        processing_time=said.seconds,
        timestamp=datetime.now(UTC),
        predictions=[
            {
                "species": each.species,
                "common_name": each.common_name,
                "confidence": each.confidence,
                "taxonomic_level": each.taxonomic_level,
                "genus": each.genus,
                "family": each.family,
                "prior": each.prior,
            }
            for each in said.predictions
        ],
        top_prediction_species=best.species if best else "",
        top_prediction_confidence=best.confidence if best else 0.0,
        mean_confidence=said.mean_confidence,
        prediction_entropy=said.entropy,
        in_domain=said.in_domain,
        classes=said.classes,
        masked=said.masked,
        prior_mass=said.prior_mass,
        region=said.region,
        model_version=said.model_version,
    )
