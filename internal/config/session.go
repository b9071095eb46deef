package config

import "time"

func (l *loader) session(s *settings, c *Config) {
	c.Session = Session{
		Optional:       l.word("AUTHPROXY_AUTH", s.Auth, "required", "optional") == "optional",
		Audience:       s.Audience,
		ClockSkew:      l.between("AUTHPROXY_CLOCK_SKEW", s.ClockSkew, 0, time.Minute),
		RequiredClaims: s.RequiredClaims,
		// Off is what must be said: whatever else stands there is a mistake,
		// and protects until it is mended.
		CSRF:   s.CSRF != "off",
		Whoami: s.Whoami == "on",

		OrganizationPatterns: s.OrganizationPatterns, PersonalPatterns: s.PersonalPatterns,
	}
	if s.Whoami == "" && c.Clerk.Instance != nil && !l.failed["AUTHPROXY_WHOAMI"] {
		c.Session.Whoami = !c.Clerk.Instance.Production
		l.origin["AUTHPROXY_WHOAMI"] = fromPublishableKey
	}
	l.set("AUTHPROXY_WHOAMI", "off")
	if c.Session.Whoami {
		l.set("AUTHPROXY_WHOAMI", "on")
	}
}

func (l *loader) headers(s *settings, c *Headers) {
	*c = Headers{
		Mapping: s.Headers, Pass: s.PassHeaders, Strip: s.StripHeaders,
		PassAuthorization: bool(s.PassAuthorization), PassClerkCookies: bool(s.PassClerkCookies),
	}
	if s.Headers == "" {
		l.set("AUTHPROXY_HEADERS", "the built-in mapping")
	}
	if s.StripHeaders == nil {
		l.set("AUTHPROXY_STRIP_HEADERS", "the built-in list")
	}
}

func (l *loader) operation(s *settings, c *Operation) {
	c.LogLevel = l.word("AUTHPROXY_LOG_LEVEL", s.LogLevel, "debug", "info", "warn", "error")
	if s.LogFormat != "" {
		c.LogFormat = l.word("AUTHPROXY_LOG_FORMAT", s.LogFormat, "json", "text")
	} else {
		l.set("AUTHPROXY_LOG_FORMAT", "text on a terminal, else json")
	}
	c.PProf = bool(s.PProf)
}

// word reads a setting that is one of several words.
func (l *loader) word(name, text string, words ...string) string {
	word, err := oneOf(text, words...)
	if err != nil {
		l.addError(name, err)
	}
	return word
}
