"""Teaching a model its owner's field: confirmed photos in, a model folder out if it is better than the old one."""
