package desired

// File is the desired state from all files. [Load] has checked it against the rules that hold without a server.
type File struct {
	APIs           List[API]             `yaml:"apis" item:"an API" doc:"The APIs, one entry for each version."`
	Scopes         List[Scope]           `yaml:"scopes" item:"a scope" doc:"Scopes that several APIs share."`
	Applications   List[Application]     `yaml:"applications" item:"an application" doc:"The applications that call the APIs."`
	KeyManagers    List[KeyManager]      `yaml:"key_managers" item:"a key manager" doc:"The key managers of API-M."`
	IdentityServer Group[IdentityServer] `yaml:"identity_server" doc:"Roles, groups and users of IS, for tests and small installations."`
	Gateway        Group[Gateway]        `yaml:"gateway" doc:"The addresses of the gateway."`

	// What messages call the list of APIs: the section that the file has.
	section string
	// Where the first file begins, for what is missing.
	begin Place
	// The names of the files in their order.
	files []string
}

// APISection returns the name of the section that lists the APIs: apis, or rest_apis in a file of that shape.
func (f *File) APISection() string { return f.section }

// Begin returns where the first file begins: the place of what is missing.
func (f *File) Begin() Place { return f.begin }

// Gateway is where clients reach the gateway.
type Gateway struct {
	Host         Text   `yaml:"host" form:"host" doc:"The host at which the agent reaches the gateway."`
	Port         Number `yaml:"port" min:"1" max:"65535" doc:"The port at which the agent reaches the gateway."`
	ExternalHost Text   `yaml:"external_host" form:"host" doc:"The host at which clients reach the gateway."`
	ExternalPort Number `yaml:"external_port" min:"1" max:"65535" doc:"The port at which clients reach the gateway."`
}
