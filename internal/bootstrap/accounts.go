package bootstrap

import (
	"context"

	"wso2agent/internal/config"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

// Accounts are the administrators' accounts. All requests of this process with one account count together, so that a wrong
// password does not lock the account.
type Accounts struct{ AM, IS wso2.Lockout }

// SettingsOf returns the settings of a run for the agent's settings. They include IS's credentials even if there is no IS to
// register.
func SettingsOf(c config.Config, accounts *Accounts) Settings {
	return Settings{
		AMURL: "https://" + c.AMAddress(), GatewayURL: "https://" + c.GatewayAddress(), ISURL: "https://" + c.ISAddress(),
		AMCredentials: wso2.Credentials{User: c.AM.AdminUser, Password: wso2.Secret(c.AM.AdminPass), Source: "AM_ADMIN_USER and AM_ADMIN_PASS", Lockout: &accounts.AM},
		ISCredentials: wso2.Credentials{User: c.IS.AdminUser, Password: wso2.Secret(c.IS.AdminPass), Source: "IS_ADMIN_USER and IS_ADMIN_PASS", Lockout: &accounts.IS},
		VHost:         c.Gateway.VHost,
		KMName:        c.KeyManager.ISName, KeyManagerName: c.KeyManager.KeysFrom, KMTokenEndpoint: c.KeyManager.TokenEndpoint, ISPublicURL: c.Public.ISURL,
		SkipKeyManager: len(c.Trust.Peers) == 0,
		Authorize:      c.Scopes.Mode == "authorize", ScopesClients: c.Scopes.Clients,
		CAFile: c.Trust.CAFile,

		MapsCertificates: func(ctx context.Context) bool { return mapsCertificates(ctx, c) },
		KMUser:           ServiceUser{Setting: c.KeyManager.ServiceUser, Password: wso2.Secret(c.KeyManager.ServicePass), Rights: c.KeyManager.Rights, Record: serviceuser.Path(c.Bootstrap.KeysFile)},
	}
}
