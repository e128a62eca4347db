# What is yours.
variable "account_id" {
  type        = string
  description = "The account on which the Worker runs."
}

variable "zone_id" {
  type        = string
  description = "The zone of the upload address."
}

variable "plan" {
  type        = string
  description = "The zone's plan, which decides what its rules may look at: free, pro, or business, which Enterprise is too."
  validation {
    condition     = contains(["free", "pro", "business"], var.plan)
    error_message = "plan is free, pro or business (Enterprise: business)."
  }
}

variable "host" {
  type        = string
  description = "The upload address: the route in wrangler.toml, without a scheme."
  default     = "upload.example.com"
}

variable "app_origins" {
  type        = list(string)
  description = "The pages that upload: CORS_ORIGINS in wrangler.toml."
  default     = ["https://app.example.com"]
}

variable "environment" {
  type        = string
  description = "Names the bucket and the queues, as wrangler.toml does."
  default     = "production"
}

variable "manage_zone_rules" {
  type        = bool
  description = "Whether the zone's entry points for the three kinds of rules are managed here. A zone has one of each: where it has rules already, say false and add those of zone.tf to them."
  default     = true
}
