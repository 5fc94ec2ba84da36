"""The pages, by what people do there."""
