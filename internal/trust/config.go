package trust

import (
	"slices"

	"wso2agent/internal/config"
)

// ExchangeOf returns the exchange volume of the own server, by the settings.
func ExchangeOf(cfg config.Config) Exchange {
	return Exchange{Dir: cfg.ExchangeDir, Name: cfg.ServerName}
}

// PinsOf returns the certificates that servers must present, by what they have published on the exchange volume.
func PinsOf(cfg config.Config) Pins {
	addresses := map[string]string{}
	if is := NameOf(cfg, config.IS, cfg.ISHost); is != "" {
		addresses[cfg.ISAddress()] = is
	}
	if am := NameOf(cfg, config.AM, cfg.AMHost); am != "" {
		addresses[cfg.AMAddress()] = am
		if cfg.GWHost == cfg.AMHost { // another host is an ingress with its own certificate
			addresses[cfg.GatewayAddress()] = am
		}
	}
	return Pins{Exchange: ExchangeOf(cfg), Addresses: addresses, Peers: PeerPins(cfg.PeerPins), CA: cfg.Trust == "ca", Names: append(slices.Clone(cfg.Peers), cfg.ServerName)}
}

// NameOf returns the name of the server of the given product: the own server, or a peer. Of several peers it is the one whose
// name is its address. The name is empty if no such server is on the exchange volume.
func NameOf(cfg config.Config, product, host string) string {
	switch {
	case product == cfg.Product:
		return cfg.ServerName
	case slices.Contains(cfg.Peers, host):
		return host
	case len(cfg.Peers) == 1:
		return cfg.Peers[0]
	}
	return ""
}
