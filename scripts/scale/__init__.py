"""A large archive's photos asked about by the workers of a Dask cluster; the packages of requirements-scale.txt."""
