"""Attribution: how a model's score depends on its features, and whether that has changed."""
