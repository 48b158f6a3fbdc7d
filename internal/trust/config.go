package trust

import (
	"slices"

	"wso2agent/internal/config"
)

// ExchangeOf returns the exchange volume of the own server, by the settings.
func ExchangeOf(cfg config.Config) Exchange {
	return Exchange{Dir: cfg.Trust.ExchangeDir, Name: cfg.Server.Name}
}

// PinsOf returns the certificates that servers must present, by what they have published on the exchange volume, and by PEER_PINS.
func PinsOf(cfg config.Config) Pins {
	addresses := map[string]string{}
	if is := pinnedName(cfg, config.IS, cfg.IS.Host); is != "" {
		addresses[cfg.ISAddress()] = is
	}
	if am := pinnedName(cfg, config.AM, cfg.AM.Host); am != "" {
		addresses[cfg.AMAddress()] = am
		if cfg.Gateway.Host == cfg.AM.Host { // another host is an ingress with its own certificate
			addresses[cfg.GatewayAddress()] = am
		}
	}
	for from, to := range cfg.Trust.ConnectTo { // a client may know only the other address
		if name, ok := addresses[from]; ok {
			addresses[to] = name
		}
	}
	return Pins{Exchange: ExchangeOf(cfg), Addresses: addresses, Peers: PeerPins(cfg.Trust.Pins), CA: cfg.Trust.Mode == "ca", Names: append(slices.Clone(cfg.Trust.Peers), cfg.Server.Name)}
}

// pinnedName is NameOf, also for a process next to no server, such as a command on a laptop. Such a process knows a server only by its pins.
func pinnedName(cfg config.Config, product, host string) string {
	if name := config.DefaultName(product); cfg.Server.Product == "" && !cfg.Given("PEERS") && len(cfg.Trust.Pins[name]) > 0 {
		return name
	}
	return NameOf(cfg, product, host)
}

// NameOf returns the name of the server of the given product: the own server, or a peer. Of several peers it is the one whose
// name is its address. The name is empty if no such server is on the exchange volume.
func NameOf(cfg config.Config, product, host string) string {
	switch {
	case product == cfg.Server.Product:
		return cfg.Server.Name
	case slices.Contains(cfg.Trust.Peers, host):
		return host
	case len(cfg.Trust.Peers) == 1:
		return cfg.Trust.Peers[0]
	}
	return ""
}
