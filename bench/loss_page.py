"""JavaScript of the loss measurement: every connection's getStats, and a page that meets in Janus's videoroom."""

from __future__ import annotations

COLLECT = """(() => {
  const Plain = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Plain {
    constructor(...given) { super(...given); window.connections.push(this); }
  };
  window.figures = async () => {
    const found = {audio: [], video: [], sent: []};
    for (const connection of window.connections) {
      if (connection.connectionState === 'closed') continue;
      for (const s of (await connection.getStats()).values()) {
        if (s.type === 'inbound-rtp' && s.packetsReceived > 0) found[s.kind].push(s);
        if (s.type === 'outbound-rtp') found.sent.push(s);
      }
    }
    return found;
  };
})();"""
"""Runs before the page's own scripts; ``window.figures()`` gives inbound-rtp and outbound-rtp (W3C webrtc-stats)."""

JANUS_PAGE = """<!doctype html><meta charset=utf-8><video autoplay muted playsinline width=640></video><script>
const room = 1234, waiting = new Map();
let socket, session, number = 0;
const ask = (message) => new Promise((done, fail) => {
  const transaction = String(++number);
  waiting.set(transaction, (answer) => {
    if (answer.janus === 'ack') return false;
    const data = answer.plugindata?.data;
    if (answer.janus === 'error' || data?.error) fail(new Error(JSON.stringify(answer)));
    else done(answer);
    return true;
  });
  socket.send(JSON.stringify({...message, ...(session ? {session_id: session} : {}), transaction}));
});
const attach = async () => (await ask({janus: 'attach', plugin: 'janus.plugin.videoroom'})).data.id;
const send = (handle, body, jsep) => ask({janus: 'message', handle_id: handle, body, ...(jsep ? {jsep} : {})});
const gathered = (pc) => new Promise((done) => {
  if (pc.iceGatheringState === 'complete') return done();
  pc.onicegatheringstatechange = () => pc.iceGatheringState === 'complete' && done();
});
async function open(address) {
  socket = new WebSocket(`ws://${address}:8188`, 'janus-protocol');
  socket.onmessage = ({data}) => {
    const message = JSON.parse(data), heard = waiting.get(message.transaction);
    if (heard && heard(message)) waiting.delete(message.transaction);
  };
  await new Promise((done, fail) => { socket.onopen = done; socket.onerror = fail; });
  session = (await ask({janus: 'create'})).data.id;
  setInterval(() => ask({janus: 'keepalive'}).catch(() => 0), 20000);
}
async function publish(address, layers) {
  await open(address);
  const handle = await attach();
  await send(handle, {request: 'create', room, publishers: 6, bitrate: 0, videocodec: 'h264', audiocodec: 'opus',
    opus_fec: true, transport_wide_cc_ext: true, fir_freq: 0}).catch(() => 0);  // the other one was first
  const joined = await send(handle, {request: 'join', ptype: 'publisher', room});
  const audio = (await navigator.mediaDevices.getUserMedia({audio: true})).getAudioTracks()[0];
  const video = (await navigator.mediaDevices.getUserMedia({video: true})).getVideoTracks()[0];
  const pc = new RTCPeerConnection();
  pc.addTransceiver(audio, {direction: 'sendonly'});
  const picture = pc.addTransceiver(video, {direction: 'sendonly', sendEncodings: layers});
  const codecs = RTCRtpSender.getCapabilities('video').codecs;
  const wanted = (codec) => /H264/i.test(codec.mimeType) && /42e01f|42001f/.test(codec.sdpFmtpLine ?? '')
    && /packetization-mode=1/.test(codec.sdpFmtpLine ?? '');
  picture.setCodecPreferences([...codecs.filter(wanted), ...codecs.filter((codec) => /rtx/i.test(codec.mimeType))]);
  await pc.setLocalDescription(await pc.createOffer());
  await gathered(pc);
  const answer = await send(handle, {request: 'publish', bitrate: 0}, {type: 'offer', sdp: pc.localDescription.sdp});
  await pc.setRemoteDescription(answer.jsep);
  return joined.plugindata.data.id;
}
async function subscribe(feed, substream) {
  const handle = await attach();
  const streams = [{feed}];
  const offer = await send(handle, {request: 'join', ptype: 'subscriber', room, streams});
  const pc = new RTCPeerConnection(), element = document.querySelector('video'), stream = new MediaStream();
  pc.ontrack = ({track}) => {
    if (track.kind === 'video') { stream.addTrack(track); element.srcObject = stream; element.dataset.show = 'other'; }
    else { const sound = new Audio(); sound.srcObject = new MediaStream([track]); sound.play(); }
  };
  await pc.setRemoteDescription(offer.jsep);
  await pc.setLocalDescription(await pc.createAnswer());
  await gathered(pc);
  await send(handle, {request: 'start'}, {type: 'answer', sdp: pc.localDescription.sdp});
  const mid = pc.getTransceivers().find((one) => one.receiver.track.kind === 'video').mid;
  await send(handle, {request: 'configure', streams: [{mid, substream}]});
}
</script>"""

LAYERS = [
    {"rid": "r0", "scaleResolutionDownBy": 4, "maxBitrate": 200_000},
    {"rid": "r1", "scaleResolutionDownBy": 2, "maxBitrate": 600_000},
    {"rid": "r2", "scaleResolutionDownBy": 1, "maxBitrate": 1_800_000},
]
"""As web/shared/meet/media.ts sends."""
