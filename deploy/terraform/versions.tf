# The provider, pinned to a major version: from 5.20 on the rulesets know request_body_buffering.
terraform {
  required_version = ">= 1.5"
  required_providers {
    cloudflare = {
      source  = "cloudflare/cloudflare"
      version = "~> 5.20"
    }
  }
}

# Reads CLOUDFLARE_API_TOKEN: Workers R2 Storage, Queues, Zone WAF, Config Rules, each with Edit.
provider "cloudflare" {}
