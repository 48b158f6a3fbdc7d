package up

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// Reached is how this machine reaches both servers.
type Reached struct {
	// Config has the settings of an agent next to API-M, with the addresses, the pins and the routes of both servers.
	Config config.Config
	// Containers are the containers of the servers by product, if their files are in containers.
	Containers map[string]string
}

// reached returns how this machine reaches both servers. API-M may reach IS at another address than this machine does: that address goes
// into the key manager, and this machine reaches it through the address of the command line.
func (o Options) reached(is, am side) (r Reached, err error) {
	cfg := o.Config.For(config.AM)
	cfg.Server.Name, cfg.Trust.Peers = nameAM, []string{nameIS}
	if cfg.AM.Host, cfg.AM.Port, err = split(am.Address); err != nil {
		return r, err
	}
	if !cfg.Given("GW_HOST") {
		cfg.Gateway.Host = cfg.AM.Host
	}
	if cfg.IS.Host, cfg.IS.Port, err = inner(cfg, is, am); err != nil {
		return r, err
	}
	if !cfg.Given("KM_TOKEN_ENDPOINT") {
		cfg.KeyManager.TokenEndpoint = "https://" + cfg.ISAddress() + "/oauth2/token"
	}
	cfg.Trust.Pins = config.Pins{nameIS: {is.Certificate.Fingerprint()}, nameAM: {am.Certificate.Fingerprint()}}
	cfg.Trust.ConnectTo = maps.Clone(cfg.Trust.ConnectTo)
	if cfg.ISAddress() != is.Address {
		if cfg.Trust.ConnectTo == nil {
			cfg.Trust.ConnectTo = config.Routes{}
		}
		cfg.Trust.ConnectTo[cfg.ISAddress()] = is.Address
	}
	r = Reached{Config: cfg, Containers: map[string]string{}}
	for _, s := range []side{is, am} {
		if c, in := s.place.(*container); in {
			r.Containers[s.Product] = c.facts.Name
		}
	}
	return r, nil
}

// inner returns the address at which API-M reaches IS.
func inner(cfg config.Config, is, am side) (host string, port int, err error) {
	if cfg.Given("IS_HOST") || cfg.Given("IS_PORT") {
		return cfg.IS.Host, cfg.IS.Port, nil
	}
	of, isInContainer := is.place.(*container)
	_, amInContainer := am.place.(*container)
	switch host, port, err = split(is.Address); {
	case err != nil:
		return "", 0, err
	case !amInContainer:
		return host, port, nil
	case isInContainer:
		return of.address(), cfg.IS.Port, nil
	}
	if loopback(host) {
		return "", 0, fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(fmt.Errorf("API-M in a container cannot reach IS at %s", is.Address), "set IS_HOST and IS_PORT to the address at which it can"))
	}
	return host, port, nil
}

func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil {
		return "", 0, fmt.Errorf("read the address %s: %w", address, err)
	}
	return host, port, nil
}

// Bootstrap brings both servers to the desired state and verifies it, as agent bootstrap does. It returns the number of changes on the
// servers.
func Bootstrap(ctx context.Context, log *slog.Logger, r Reached) (changes int, err error) {
	accounts := &bootstrap.Accounts{}
	if r.Config.Database.Kind == "postgres" { // while it is down, a server refuses right passwords
		down := server.PostgresDown(r.Config.Database.Host, r.Config.Database.Port)
		accounts.AM.Down, accounts.IS.Down = down, down
	}
	v := &verify.Verifier{Log: log, Server: nameAM, Process: nobody, Poll: r.Config.Watch.Poll, Write: true}
	k := &bootstrap.Keeper{
		Log: log, Load: func() (config.Config, error) { return r.Config, nil }, Accounts: accounts, Server: notify.None{}, Tell: func(string) {},
		Check: func(config.Config) (string, error) { return "", nil }, Verify: v.Verify,
		Apply: func(ctx context.Context, log *slog.Logger, hc *http.Client, s bootstrap.Settings, files bootstrap.Files, f *desired.File) (bootstrap.Result, error) {
			result, err := apply.Bootstrap(ctx, log, hc, s, files, f)
			changes = result.Changes
			return result, err
		},
	}
	if err := k.Reach(ctx, r.Config); err != nil {
		return changes, err
	}
	connection := wso2.Connection{Routes: r.Config.Trust.ConnectTo}
	defer connection.Close()
	err = verify.AwaitClosed(ctx, log, r.Config, func(cfg config.Config) (verify.IdentityServer, error) {
		hc, err := connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
		return verify.IdentityServerOf(hc, bootstrap.SettingsOf(cfg, accounts)), err
	})
	if errors.Is(err, ErrPermanent) { // the settings of IS are somebody else's, and IS as shipped is open
		text, remedies := remedy.Split(err)
		log.Warn("IS is not closed to API subscribers", "error", text, "remedy", strings.Join(remedies, "; "))
		err = nil
	}
	return changes, err
}

// nobody names no process: nothing next to a server reports one here.
func nobody(context.Context) (name string, pending bool) { return "", false }

// PinsOf returns the pins of settings (PEER_PINS) by product.
func PinsOf(cfg config.Config) map[string][]keystore.Fingerprint {
	return map[string][]keystore.Fingerprint{config.IS: trust.PeerPins(cfg.Trust.Pins)[nameIS], config.AM: trust.PeerPins(cfg.Trust.Pins)[nameAM]}
}
