package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Environment returns the variables to add to the environment of the server: the secrets to which its deployment.toml refers as
// $env{NAME}, from the agent's settings. isSet reports whether the environment has a variable already. missing are the
// variables that neither has. A server without them exits at its start and does not say why.
func Environment(ctx context.Context, cfg config.Config, isSet func(name string) bool) (more map[string]string, missing []string, err error) {
	text, err := SettingsFile{Path: cfg.DeploymentTOML()}.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	more = map[string]string{}
	for _, name := range doc.Variables() {
		if name == KeyVariable { // the agent may have made it, and ENCRYPTION_KEY may be new
			e, err := readKey(cfg, text)
			if err != nil {
				return nil, nil, err
			}
			if key := e.value(); key != "" {
				more[name] = key
				continue
			}
			if !config.IsKey(e.Given) { // isSet is true of new, too
				missing = append(missing, name)
				continue
			}
		}
		if isSet(name) {
			continue
		}
		if value, ok := cfg.Secret(name); ok {
			more[name] = value
		} else {
			missing = append(missing, name)
		}
	}
	return more, missing, nil
}

// CheckKey makes sure, before agent exec starts the server, that the environment has the encryption key if deployment.toml takes it from
// there. A server whose key is the word new would encrypt with that. A start without an init before it, such as a restart of the container,
// gets here with a lost record. Errors wrap ErrKey.
func CheckKey(cfg config.Config) error {
	text, err := file.Read(cfg.DeploymentTOML(), settingsLimit)
	if err != nil { // Environment has the same error
		return nil
	}
	e, unread := readKey(cfg, text)
	if e.InFile != keyReference || e.value() != "" || config.IsKey(e.Given) {
		return nil
	}
	if unread != nil {
		return fmt.Errorf("%w: %w", ErrKey, unread)
	}
	return remedy.Add(fmt.Errorf("%w is gone: deployment.toml takes it from %s, which has no key", ErrKey, KeyVariable), restoreKey, keyFile)
}
