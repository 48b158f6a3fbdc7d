// Package config holds every setting of the agent. Each setting is an environment variable. The tags of one field declare
// all that is known about it: its name, default, rule and sentence. The table in the README is made from these declarations.
package config

import (
	"time"

	"wso2agent/internal/product"
)

// Products that an agent can run next to.
const (
	IS = product.IS
	AM = product.AM
)

// ResidentKeyManager is the name that API-M gives to its built-in key manager. Nobody can rename it.
const ResidentKeyManager = "Resident Key Manager"

// Config is the settings of one agent, in groups. Each group is one topic, and its title is a heading in the table of settings.
//
// The tags of a setting are:
//
//	env      name of the variable
//	default  value if the variable is empty or not set
//	rule     what the value must be: see rules
//	secret   true for a value that the agent never shows and that can also come from the file that NAME_FILE names
//	shown    words for the default, if it depends on other settings
//	desc     one or more sentences for people
type Config struct {
	Server     Server         `title:"The server"`
	Trust      Trust          `title:"Trust between servers"`
	Keystore   Keystore       `title:"Keystore of the server"`
	Truststore Truststore     `title:"Truststore of the server"`
	TLS        TLS            `title:"Certificate of the server"`
	Rotate     Rotate         `title:"Rotation of the certificate"`
	Settings   Settings       `title:"Settings in deployment.toml"`
	Public     Public         `title:"Public addresses"`
	Database   Database       `title:"Databases of the servers"`
	Init       Init           `title:"First start"`
	Restart    Restart        `title:"Restarts of the server"`
	Hooks      Hooks          `title:"Hooks"`
	Watch      Watch          `title:"Watched files"`
	Artifacts  Artifacts      `title:"Artifacts"`
	IS         IdentityServer `title:"Identity Server"`
	AM         APIManager     `title:"API Manager"`
	Gateway    Gateway        `title:"Gateway of API-M"`
	KeyManager KeyManager     `title:"Key managers"`
	Scopes     Scopes         `title:"Scopes"`
	Bootstrap  Bootstrap      `title:"Desired state"`
	Report     Report         `title:"Status and log"`

	// Release is that of the server next to the agent, which Load detects. It is empty without PRODUCT.
	Release product.Release

	SecretFiles []string // paths of the files that hold secrets, in the order of the settings

	given map[string]bool // the variables that are set, directly or by their file
}

// DefaultName is the name of a server on the exchange volume, and its alias in truststores, if no setting gives it another one.
func DefaultName(product string) string { return "wso2" + product }

// For returns the settings of an agent next to the given product. A setting that is not set gets the default of that product, and of
// the version that SERVER_HOME names if it is another product than PRODUCT.
func (c Config) For(name string) Config {
	if c.Release.Product == name {
		return c.On(c.Release)
	}
	release, err := traces{given: c.givenHome()}.release(name)
	if err != nil { // nothing is known of a version that is too old
		release = product.Default(name)
	}
	return c.On(release)
}

// On returns the settings of an agent next to a server of the given release. A setting that is not set gets the default of that
// release, such as SERVER_HOME.
func (c Config) On(release product.Release) Config {
	for variable, field := range map[string]*string{"SERVER_NAME": &c.Server.Name, "SERVER_HOME": &c.Server.Home, "KEYSTORE_FILE": &c.Keystore.File,
		"TRUSTSTORE_FILE": &c.Truststore.File, "GW_HOST": &c.Gateway.Host} {
		if !c.given[variable] {
			*field = ""
		}
	}
	if !c.given["AM_HOST"] {
		c.AM.Host = "localhost"
	}
	c.Server.Product, c.Release = release.Product, release
	c.complete()
	return c
}

// givenHome returns SERVER_HOME if it is set.
func (c Config) givenHome() string {
	if !c.given["SERVER_HOME"] {
		return ""
	}
	return c.Server.Home
}

// complete sets the defaults that depend on other settings.
func (c *Config) complete() {
	type names struct{ name, peer string }
	p := map[string]names{IS: {DefaultName(IS), DefaultName(AM)}, AM: {DefaultName(AM), DefaultName(IS)}}[c.Server.Product]
	fill := func(value *string, otherwise string) {
		if *value == "" {
			*value = otherwise
		}
	}
	fill(&c.Server.Name, p.name)
	if p.name != "" {
		fill(&c.Server.Home, c.Release.Home())
		fill(&c.Keystore.File, c.Release.Keystore)
		fill(&c.Truststore.File, c.Release.Truststore)
	}
	switch {
	case !c.given["PEERS"] && p.peer != "":
		c.Trust.Peers = []string{p.peer}
	case len(c.Trust.Peers) == 1 && c.Trust.Peers[0] == "none":
		c.Trust.Peers = nil
	}
	// Next to IS, localhost is IS itself.
	if c.Server.Product == IS && !c.given["AM_HOST"] {
		c.AM.Host = p.peer
		if len(c.Trust.Peers) == 1 {
			c.AM.Host = c.Trust.Peers[0]
		}
	}
	fill(&c.Gateway.Host, c.AM.Host)
	if !c.given["BOOTSTRAP"] {
		c.Bootstrap.Enabled = c.Server.Product == AM
	}
}

// Given reports whether a variable is set, directly or by its file. A variable with its default only is not.
func (c Config) Given(name string) bool { return c.given[name] }

// EventWait returns GATEWAY_EVENT_WAIT; 0 keeps the value of the product.
func (c Config) EventWait() time.Duration {
	wait, _ := time.ParseDuration(c.Settings.GatewayEventWait) // its rule allows a time or "product"
	return wait
}
