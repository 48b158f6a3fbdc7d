package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/file"
	"wso2agent/internal/wso2"
)

// ControlOf returns the folder through which the sidecar and agent exec communicate, on the config volume, which both mount.
func ControlOf(cfg config.Config) Control {
	return Control{Dir: filepath.Join(cfg.Server.ConfigDir, file.WorkDir)}
}

// Elsewhere reports whether RESTART names something else than agent exec that restarts the server.
func Elsewhere(cfg config.Config) bool {
	return !slices.Contains([]string{"", "auto", "exec", "none"}, cfg.Restart.Method)
}

// SupervisorOf returns the supervisor of a server with the given entrypoint, by the settings of agent exec. See Supervisor for
// serves, wayBack and home. They depend on the product: without PRODUCT, the supervisor uses none of them, and SupervisorOf logs
// that.
func SupervisorOf(cfg config.Config, entrypoint []string, serves func(context.Context) error, wayBack WayBack, home Home, log *slog.Logger) Supervisor {
	s := Supervisor{
		Command:     entrypoint,
		Control:     ControlOf(cfg),
		AgentLock:   file.LockPath(cfg.WorkDir()),
		StopTimeout: cfg.Restart.StopTimeout,
		Poll:        cfg.Watch.Poll,
		MaxRestarts: cfg.Restart.Max, Window: cfg.Restart.Window,
		Database: cfg.DatabaseAddress(), DatabaseTimeout: cfg.Database.Timeout,
		StartTimeout: cfg.Restart.StartTimeout,
		Elsewhere:    Elsewhere(cfg),
		Log:          log,
		Stdin:        os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	port, known := map[string]int{config.IS: cfg.IS.Port, config.AM: cfg.AM.Port}[cfg.Server.Product]
	if !known {
		log.Info("PRODUCT is not set: agent exec does not check the port of the server, does not restore a truststore, and does not place a new certificate", "remedy", "set PRODUCT to is or am in this container")
		return s
	}
	s.Port = net.JoinHostPort("localhost", strconv.Itoa(port))
	s.Serves, s.WayBack, s.Home = serves, wayBack, home
	return s
}

// Access is what a Keeper needs of packages that come after this one.
type Access struct {
	Starting func(context.Context) (trusts []string, certificate string) // of Home
	Serves   func(context.Context) error                                 // see Keeper
	Connect  func() (*http.Client, error)                                // to servers by their pins, and to other addresses by TLS_CA_FILE
	Load     func() (config.Config, error)                               // the settings as they are now: a password may have changed
	Lockout  *wso2.Lockout                                               // of the administrator of the own server
	Count    func(name, help string, more float64, labels ...string)     // of telemetry.Health
	While    func(work func())                                           // see Keeper
}

// KeeperOf returns what restarts the server where agent exec does not run it; nil if RESTART is exec or none.
func KeeperOf(cfg config.Config, access Access, log *slog.Logger) *Keeper {
	r, control := cfg.Restart, ControlOf(cfg)
	host, port, setting := cfg.IS.Host, cfg.IS.Port, "IS_CONTAINER"
	if cfg.Server.Product == config.AM {
		host, port, setting = cfg.AM.Host, cfg.AM.Port, "AM_CONTAINER"
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	limit := r.StopTimeout + r.StartTimeout
	automatic := []Method{ // in the order of preference; each proves that something starts the server again
		&Docker{Open: func() (*docker.Engine, error) { return docker.Open(os.Getenv) }, Container: cfg.Container(), Setting: setting,
			Home: cfg.Server.Home, Prefix: cfg.Release.Prefix(), Hostname: os.Hostname, Control: control},
		&Kubernetes{Getenv: os.Getenv, Container: cfg.Server.Name, Limit: limit},
	}
	methods := append(automatic,
		&Signal{Home: cfg.Server.Home, Volume: cfg.Server.ConfigDir, StopTimeout: r.StopTimeout},
		&Carbon{URL: "https://" + address, Connect: access.Connect, Administrator: access.administrator, InHome: filepath.Clean(cfg.Server.ConfigDir) == filepath.Clean(cfg.Server.Home)},
		&Command{Line: r.Command, Limit: limit},
		&Webhook{URL: r.URL, Secret: r.Secret, Setting: "RESTART_URL", SecretSetting: "RESTART_URL_SECRET", Connect: access.Connect, Pause: time.Second, Log: log},
		&Touch{Path: r.File})
	k := &Keeper{Control: control, Server: cfg.Server.Name, Product: cfg.Server.Product, Port: address, Starting: access.Starting, Serves: access.Serves,
		AgentLock: file.LockPath(cfg.WorkDir()), StopTimeout: r.StopTimeout, StartTimeout: r.StartTimeout, MaxRestarts: r.Max, Window: r.Window, Poll: cfg.Watch.Poll, Log: log, While: access.While,
		Restarted: func(method, result string) {
			access.Count("wso2agent_restarts_total", "Restarts of the server that the agent has asked for, by their method and result: ok or failed.", 1, "method", method, "result", result)
		}}
	if r.Method == "auto" {
		k.Methods = automatic
		return k
	}
	i := slices.IndexFunc(methods, func(m Method) bool { return m.Name() == r.Method })
	if i < 0 {
		return nil
	}
	k.Methods, k.Only = methods[i:i+1], true
	return k
}

// administrator returns the credentials of the administrator of the own server.
func (a Access) administrator() (wso2.Credentials, error) {
	cfg, err := a.Load()
	if cfg.Server.Product == config.AM {
		return wso2.Credentials{User: cfg.AM.AdminUser, Password: wso2.Secret(cfg.AM.AdminPass), Source: "AM_ADMIN_USER and AM_ADMIN_PASS", Lockout: a.Lockout}, err
	}
	return wso2.Credentials{User: cfg.IS.AdminUser, Password: wso2.Secret(cfg.IS.AdminPass), Source: "IS_ADMIN_USER and IS_ADMIN_PASS", Lockout: a.Lockout}, err
}

// CompleteEnvironment adds variables to the environment of this process, which the server inherits. needed returns the variables
// to add with their values, and the missing ones that nobody knows (server.Environment). If the settings of the server are
// wrong or a variable is missing, the server exits at its start and does not say why. So CompleteEnvironment logs it.
func CompleteEnvironment(needed func(isSet func(name string) bool) (more map[string]string, missing []string, err error), log *slog.Logger) error {
	more, missing, err := needed(func(name string) bool {
		value, set := os.LookupEnv(name)
		return set && (value != "" || !slices.Contains(config.SettingNames(), name)) // an empty setting counts as not set
	})
	if err != nil {
		log.Error("the server will not start with its deployment.toml", "error", err)
	}
	for name, value := range more {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("give %s to the server: %w", name, err)
		}
	}
	if len(missing) > 0 {
		log.Error("the server will not start: its deployment.toml refers to variables that are not set; set them in this container's environment", "variables", missing)
	}
	return nil
}
