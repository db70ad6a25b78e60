"""The settings of a run, decided once; configuration.py reads them."""

from dataclasses import dataclass

from snakemesh.boxes import Nanometres


@dataclass(frozen=True)
class Settings:
    """Every key of the configuration, as config/README.md explains them."""

    input_path: str
    output_directory: str
    num_lods: int
    roi: tuple[Nanometres, Nanometres] | None
    roi_boundary: str
    pyramid_alignment_mode: str
    voxel_size_nm: Nanometres | None
    translation_nm: Nanometres | None
    downsample_method: str
    use_existing_scales: bool
    delete_intermediate_scales: bool
    keep_fragments: bool
    check_input: bool | None
    input_version: str | int | None
    n_smoothing_iter: int
    target_reduction: float
    decimation_factor: float
    max_error: float
    target_ids: tuple[int, ...] | None
    sharded: bool
    segment_properties_csv: str | None
    cell_size: int
    max_jobs: int
