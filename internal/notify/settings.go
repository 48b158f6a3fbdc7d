package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
)

// ControlOf returns the folder through which the sidecar and agent exec communicate, on the config volume, which both mount.
func ControlOf(cfg config.Config) Control {
	return Control{Dir: filepath.Join(cfg.Server.ConfigDir, file.WorkDir)}
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
