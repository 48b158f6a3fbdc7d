package desired

// IdentityServer is what the agent keeps in IS.
type IdentityServer struct {
	Roles  List[Role]  `yaml:"roles" item:"a role" doc:"Roles."`
	Groups List[Users] `yaml:"groups" item:"a group" doc:"Groups of users."`
	Users  List[User]  `yaml:"users" item:"a user" doc:"Users, for tests and small installations."`
}

// Role is a role of IS. Its name identifies it.
type Role struct {
	Name        Text  `yaml:"name" required:"true" form:"is_role" doc:"The name, without a slash."`
	Permissions Texts `yaml:"permissions" item:"permission" form:"permission" doc:"Scopes of APIs that the role gives."`
	Groups      Texts `yaml:"groups" item:"group" form:"text255" doc:"Groups whose users have the role."`
}

// Users is a group of users in IS. Its name identifies it.
type Users struct {
	Name    Text  `yaml:"name" required:"true" form:"text255" doc:"The name."`
	Members Texts `yaml:"members" item:"member" form:"user" doc:"The users."`
}

// User is a user of IS. The user name identifies it.
type User struct {
	Username   Text     `yaml:"username" alias:"user_name" required:"true" form:"user" doc:"The user name: 3 to 50 characters without spaces."`
	Password   Password `yaml:"password" form:"password" doc:"The password: 8 to 64 characters with a digit, an upper-case and a lower-case letter."`
	Email      Text     `yaml:"email" form:"email" doc:"The e-mail address."`
	GivenName  Text     `yaml:"given_name" form:"text255" doc:"The given name."`
	FamilyName Text     `yaml:"family_name" form:"text255" doc:"The family name."`
	Roles      Texts    `yaml:"roles" item:"role" form:"is_role" doc:"The roles that the user has himself."`
}
