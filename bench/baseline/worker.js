// The baseline: hands each body to R2 as it comes, and keeps no state. No check, no offset, no way to resume; whoever calls
// it has to remember the multipart upload's id and the ETag of every part. This is what Quayside's speed is compared with, with its bucket at
// the same distance (`R2_DISTANCE_MS`).

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The same object, whose answers take so much longer. A sender does not wait for the first byte of a body to arrive. */
function far(target, ms) {
  const call = async (name, args) => {
    const waysThere = name === "put" || name === "uploadPart" ? 0 : 1;
    await pause((ms / 2) * waysThere);
    const answer = await target[name](...args);
    await pause((ms / 2) * (2 - waysThere));
    return answer;
  };
  // A multipart upload that goes on is no call, but its methods are.
  const here = { resumeMultipartUpload: (...args) => far(target.resumeMultipartUpload(...args), ms) };
  return new Proxy(target, { get: (_, name) => here[name] ?? ((...args) => call(name, args)) });
}

export default {
  async fetch(request, env) {
    const BUCKET = env.R2_DISTANCE_MS ? far(env.BUCKET, Number(env.R2_DISTANCE_MS)) : env.BUCKET;
    const { pathname, searchParams: query } = new URL(request.url);
    const key = query.get("key") ?? "";
    const multipart = () => BUCKET.resumeMultipartUpload(key, query.get("upload") ?? "");
    switch (`${request.method} ${pathname}`) {
      case "POST /create":
        return Response.json({ upload: (await BUCKET.createMultipartUpload(key)).uploadId });
      case "PUT /part":
        return Response.json(await multipart().uploadPart(Number(query.get("number")), request.body));
      case "POST /complete":
        await multipart().complete(await request.json());
        return new Response(null, { status: 204 });
      case "PUT /object":
        await BUCKET.put(key, request.body);
        return new Response(null, { status: 204 });
      case "POST /abort":
        await multipart().abort();
        return new Response(null, { status: 204 });
      case "DELETE /object":
        await BUCKET.delete(key);
        return new Response(null, { status: 204 });
      default:
        return new Response(null, { status: 404 });
    }
  },
};
