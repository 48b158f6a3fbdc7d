package main

import (
	"io"
	"log/slog"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// reached is what a command needs to call the servers. Close the connection.
type reached struct {
	bootstrap.Servers
	cfg        config.Config
	settings   bootstrap.Settings
	log        *slog.Logger
	connection wso2.Connection
}

// reach loads the settings and makes the clients of both servers. It needs no PRODUCT, because CI and laptops run next to no server.
func reach(stderr io.Writer) (*reached, error) {
	cfg, err := config.Load()
	if err != nil {
		return nil, err
	}
	r := &reached{cfg: cfg, settings: planSettings(cfg), connection: wso2.Connection{Run: wso2.NewRun(), Routes: cfg.Trust.ConnectTo}, log: telemetry.Logger(stderr, cfg.Report.LogLevel, cfg.Report.LogFormat)}
	hc, err := r.connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
	if err != nil {
		return nil, err
	}
	r.Servers = bootstrap.Connect(hc, r.settings)
	return r, nil
}
