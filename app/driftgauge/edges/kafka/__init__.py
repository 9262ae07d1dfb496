"""Kafka: reads the messages of topics, each exactly once, as rows of a model that others serve."""
