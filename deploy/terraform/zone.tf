# What the zone in front of the Worker must not do with chunks, and what it shall do with creations. What rules may look at depends on
# the zone's plan: in rules that limit rates, Free knows the path, Pro the host too, and Business the method.
locals {
  host  = "http.host eq \"${var.host}\""
  paths = "(starts_with(http.request.uri.path, \"/upload/\") or http.request.uri.path eq \"/files\" or starts_with(http.request.uri.path, \"/files/\"))"

  # Bytes: each is one of hundreds of the same upload, and looks like nothing a rule knows.
  chunk = "(${local.host} and ${local.paths} and http.request.method in {\"PUT\" \"PATCH\"})"

  # New uploads, in any protocol.
  creates = "http.request.uri.path in {\"/upload/init\" \"/files\"}"

  creation = {
    free     = "(${local.creates})"
    pro      = "(${local.host} and ${local.creates})"
    business = "(${local.host} and http.request.method eq \"POST\" and ${local.creates})"
  }

  # Above what the Worker itself lets one address create, which is 4,000 in this time (CREATIONS_BY_ADDRESS): it says when to come again,
  # and a browser may read that; here nobody does. Without the method the questions count, too, that browsers ask first (OPTIONS).
  creations = {
    free     = 10000
    pro      = 10000
    business = 5000
  }

  # Super Bot Fight Mode comes with Pro. Bot Fight Mode, on Free, is skipped by no rule: switch it off by hand.
  skipped = {
    free     = ["http_ratelimit", "http_request_firewall_managed"]
    pro      = ["http_ratelimit", "http_request_firewall_managed", "http_request_sbfm"]
    business = ["http_ratelimit", "http_request_firewall_managed", "http_request_sbfm"]
  }
}

# Chunks of one upload are not an attack: hundreds of binary bodies in a row, from one address. The Worker itself says who may send
# them, where they must begin, and how large they may be.
resource "cloudflare_ruleset" "skip_for_chunks" {
  count   = var.manage_zone_rules ? 1 : 0
  zone_id = var.zone_id
  name    = "Quayside: chunks pass the managed rules"
  kind    = "zone"
  phase   = "http_request_firewall_custom"
  rules = [{
    ref         = "quayside_skip_chunks"
    description = "Chunks of uploads: no managed rules, no bot fight, no rate limits"
    expression  = local.chunk
    action      = "skip"
    action_parameters = {
      phases   = local.skipped[var.plan]
      products = ["bic", "hot", "rateLimit", "securityLevel", "uaBlock", "waf", "zoneLockdown"]
    }
    logging = {
      enabled = true
    }
  }]
}

# Creations cost an object and two rows in a ledger each. Period and timeout are what every plan takes, and it is one rule, which is all
# that Free has.
resource "cloudflare_ruleset" "limit_creations" {
  count   = var.manage_zone_rules ? 1 : 0
  zone_id = var.zone_id
  name    = "Quayside: creations are limited"
  kind    = "zone"
  phase   = "http_ratelimit"
  rules = [{
    ref         = "quayside_limit_creations"
    description = "New uploads from one address"
    expression  = local.creation[var.plan]
    action      = "block"
    ratelimit = {
      characteristics     = ["cf.colo.id", "ip.src"]
      period              = 10
      requests_per_period = local.creations[var.plan]
      mitigation_timeout  = 10
    }
  }]
}

# A body that is buffered whole in front of the Worker arrives late, and all at once; one that is not counts part by part.
resource "cloudflare_ruleset" "no_buffering" {
  count   = var.manage_zone_rules ? 1 : 0
  zone_id = var.zone_id
  name    = "Quayside: bodies are streamed"
  kind    = "zone"
  phase   = "http_config_settings"
  rules = [{
    ref         = "quayside_no_buffering"
    description = "Chunks reach the Worker as they come"
    expression  = local.chunk
    action      = "set_config"
    action_parameters = {
      request_body_buffering = "none"
      bic                    = false
    }
  }]
}
