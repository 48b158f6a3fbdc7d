// Package server puts on disk what a product needs beside its stock image: its stores and settings as the image has them
// (the seed), the settings in deployment.toml that the two products need to work together, and files that the image lacks
// (artifacts). All of it lies on volumes that the product's entrypoint copies over its home at every start.
//
// It talks to no server.
package server
