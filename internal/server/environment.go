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
		value, given := cfg.Secret(name)
		set := isSet(name)
		if name == KeyVariable && !config.IsKey(value) { // it is new or nothing: only the agent may have the key
			e, err := readKey(cfg, text)
			if err != nil {
				return nil, nil, err
			}
			value, set = e.value(), false
			given = value != ""
		}
		switch {
		case set:
		case given:
			more[name] = value
		default:
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
