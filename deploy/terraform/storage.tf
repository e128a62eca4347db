# Where the bytes are, and what becomes of them when nobody comes back for them.
resource "cloudflare_r2_bucket" "uploads" {
  account_id = var.account_id
  name       = "quayside-${var.environment}-uploads"
}

# The objects abort what they began. This is for what a crash left that nobody knows: longer than the 6.5 days that a busy upload may
# live, so that nothing is taken from one that goes on. R2's own rule takes as long.
resource "cloudflare_r2_bucket_lifecycle" "uploads" {
  account_id  = var.account_id
  bucket_name = cloudflare_r2_bucket.uploads.name
  rules = [{
    id      = "Abort unfinished uploads"
    enabled = true
    conditions = {
      prefix = ""
    }
    abort_multipart_uploads_transition = {
      condition = {
        type    = "Age"
        max_age = 604800
      }
    }
  }]
}

# For parts that browsers send to R2 directly. ETag is what they tell the Worker.
resource "cloudflare_r2_bucket_cors" "uploads" {
  account_id  = var.account_id
  bucket_name = cloudflare_r2_bucket.uploads.name
  rules = [{
    id = "Direct parts"
    allowed = {
      origins = var.app_origins
      methods = ["PUT"]
      headers = ["content-type", "content-md5"]
    }
    expose_headers  = ["ETag"]
    max_age_seconds = 7200
  }]
}
