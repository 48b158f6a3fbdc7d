// Package server makes true in a server's deployment.toml the settings that IS and API-M need to work together. It also
// reads from that text which stores, which administrator and which database the server uses.
//
// The file lies on the config volume, which the product's entrypoint copies over the server's home at every start. The
// package talks to no server.
package server
